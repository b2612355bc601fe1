#!/bin/sh
# Builds the files of a release: archives of the static program for x86-64 and for ARM and of the sources, and checksums.
#
# usage: sh install/build-release.sh [--macos FILE] [--windows FILE] [--packages] [DIR]     (default: target/dist)
#
#   --macos FILE    also an archive of this program, built on macOS
#   --windows FILE  also an archive of this program, built on Windows; needs zip
#   --packages      also the .deb and the .rpm for each machine: see install/packages/build
#
# Needs both Rust targets and, on Debian on x86-64:
#   sudo dpkg --add-architecture arm64 && sudo apt-get update
#   sudo apt-get install musl-tools gcc-aarch64-linux-gnu musl-dev:arm64
#   rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl
# The same sources give the same bytes.
set -eu
umask 022

program=git-credential-pat
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
macos=
windows=
packages=no
while [ $# -gt 0 ]; do
    case $1 in
    --macos | --windows)
        [ -f "${2:-}" ] || {
            printf 'error: %s needs a file\n' "$1" >&2
            exit 2
        }
        case $1 in
        --macos) macos=$(realpath -- "$2") ;;
        --windows) windows=$(realpath -- "$2") ;;
        esac
        shift
        ;;
    --packages) packages=yes ;;
    -*)
        printf 'error: unknown option: %s\n' "$1" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
dist=${1:-$source/target/dist}
mkdir -p -- "$dist"
dist=$(CDPATH='' cd -- "$dist" && pwd)
version=$(sed -n 's/^version *= *"\(.*\)".*/\1/p' "$source/Cargo.toml" | head -n 1)
# The files in an archive are as old as the last commit.
date=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || echo 0)}
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT

for machine in x86_64 aarch64; do
    sh "$source/install/build.sh" "$machine-unknown-linux-musl" >"$scratch/$machine"
done
# The program of this machine writes the completions for all.
native=$(cat "$scratch/$(uname -m)")

# fill NAME PROGRAM: makes the folder of an archive.
fill() {
    folder=$scratch/$program-$version-$1
    mkdir -p "$folder/completions"
    install -m 755 "$2" "$folder"
    install -m 644 "$source/docs/$program.1" "$source/LICENSE" "$source/README.md" "$source/CHANGELOG.md" "$folder"
    for shell in bash zsh fish; do
        "$native" completions "$shell" >"$folder/completions/$program.$shell"
    done
}

pack() {
    name=$program-$version-$1
    tar -C "$scratch" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner --mode=go-w -cf - "$name" |
        gzip -n -9 >"$dist/$name.tar.gz"
}

rm -f -- "$dist/$program-$version-"* "$dist/${program}_$version-"* "$dist/SHA256SUMS"
for machine in x86_64 aarch64; do
    fill "$machine-linux" "$(cat "$scratch/$machine")"
    pack "$machine-linux"
done
if [ -n "$macos" ]; then
    fill macos "$macos"
    pack macos
fi
if [ -n "$windows" ]; then
    name=$program-$version-x86_64-windows
    fill x86_64-windows "$windows"
    # Its shells need no completions, and it has no man.
    rm -r "$folder/completions" "$folder/$program.1"
    install -m 644 "$source/install/install.ps1" "$source/install/uninstall.ps1" "$folder"
    find "$folder" -exec touch -d "@$date" {} +
    (cd "$scratch" && find "$name" | LC_ALL=C sort | TZ=UTC zip -q -X -9 -@ "$dist/$name.zip")
fi

cd "$source"
# The sources as cargo packs them: without the tests, and with Cargo.lock.
cargo package --locked --allow-dirty --no-verify --quiet --target-dir "$scratch/package" >&2
cp "$scratch/package/package/$program-$version.crate" "$dist/$program-$version-source.tar.gz"
if [ "$packages" = yes ]; then
    for machine in x86_64 aarch64; do
        sh install/packages/build all "$machine-unknown-linux-musl" >"$scratch/packages"
        while IFS= read -r package; do cp "$package" "$dist"; done <"$scratch/packages"
    done
fi
cd "$dist"
sha256sum -- "$program"[-_]"$version-"* >SHA256SUMS
cat SHA256SUMS
