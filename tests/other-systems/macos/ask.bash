#!/bin/bash
# Read by the scripts in this folder. They run with macOS's own bash 3.2, and with PROGRAM=/absolute/path/git-credential-pat.

set -euo pipefail
: "${PROGRAM:?names no program}"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/git-credential-pat.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
# The configuration of the runner's user is left alone; HOME stays, since the keychain is found by it.
export GIT_CONFIG_GLOBAL=$scratch/gitconfig GIT_TERMINAL_PROMPT=0
: >"$GIT_CONFIG_GLOBAL"
# Hosts that no other run and no other test has.
# shellcheck disable=SC2034
unique=t$$-$RANDOM

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# within SECONDS COMMAND...: git waits without a limit, a test does not.
within() {
    /usr/bin/perl -e 'alarm shift; exec @ARGV or die' "$@"
}

# lines WORD...: an attribute a line, and the blank line.
lines() { printf '%s\n' "$@" ''; }

# ask OPERATION ATTRIBUTE...: of the keychain. What is said goes to $scratch/said.
ask() {
    local operation=$1
    shift
    lines "$@" | within 30 "$PROGRAM" --storage keychain "$operation" 2>"$scratch/said"
}

# has_line TEXT LINE / lacks_line TEXT LINE
has_line() { grep -qxF -- "$2" <<<"$1" || fail "there is no line '$2' in: $1"; }
lacks() { if grep -qF -- "$2" <<<"$1"; then fail "there is '$2' in: $1"; fi; }

# item SERVER [SELECTOR...]: the attributes of an internet password, which need no permission. Fails if there is none.
item() {
    local server=$1
    shift
    security find-internet-password -s "$server" "$@" 2>/dev/null
}

# count SERVER: how many items the test's keychain has for it.
count() { security dump-keychain "$KEYCHAIN" | grep -cF "\"srvr\"<blob>=\"$1\"" || :; }
