#!/bin/sh
# Signs a program on macOS: sh install/sign-macos.sh FILE
#
# The keychain trusts a program by its signature. Hence one fixed identifier and no entitlements. MACOS_IDENTITY names a Developer
# ID in the keychain; without it, the signature is ad hoc, and the keychain asks again after each new build.
set -eu
file=${1:?usage: sh install/sign-macos.sh FILE}
if [ -n "${MACOS_IDENTITY:-}" ]; then
    codesign --force --identifier git-credential-pat --options runtime --timestamp --sign "$MACOS_IDENTITY" "$file"
else
    codesign --force --identifier git-credential-pat --sign - "$file"
fi
codesign --verify --strict "$file"
