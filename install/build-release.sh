#!/bin/sh
# Builds the archives of a release: the static musl program for x86-64 and for ARM, with manual page, completions and checksums.
#
# usage: sh install/build-release.sh [DIR]     (default: target/dist)
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
for machine in x86_64 aarch64; do
    name=$program-$version-$machine-linux
    folder=$scratch/$name
    mkdir -p "$folder/completions"
    install -m 755 "$(cat "$scratch/$machine")" "$folder/$program"
    install -m 644 "$source/docs/$program.1" "$source/LICENSE" "$source/README.md" "$source/CHANGELOG.md" "$folder"
    for shell in bash zsh fish; do
        "$native" completions "$shell" >"$folder/completions/$program.$shell"
    done
    tar -C "$scratch" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner --mode=go-w -cf - "$name" |
        gzip -n -9 >"$dist/$name.tar.gz"
done
cd "$dist"
sha256sum "$program-$version"-*-linux.tar.gz >SHA256SUMS
cat SHA256SUMS
