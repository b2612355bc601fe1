#!/bin/sh
# Builds the release program for a target, static and with its hot functions side by side: sh install/build.sh TARGET.
#
# TARGET is a Rust target such as x86_64-unknown-linux-musl. The path of the program goes to standard output, all else to
# standard error. CARGO_TARGET_DIR counts as it does for cargo.
set -eu

target=${1:?usage: sh install/build.sh TARGET}
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${CARGO_TARGET_DIR:-$source/target}
case $build in
/*) ;;
*) build=$PWD/$build ;;
esac

# No position-independent code: see docs/security.md. The mangling gives each function the same name in every build.
flags="${RUSTFLAGS:-} -C target-feature=+crt-static -C relocation-model=static -C symbol-mangling-version=v0 -C linker-flavor=gcc"
# No folder of this machine is in the program: the same sources give the same bytes. Separated by a control character, since the
# name of a folder may hold a space.
CARGO_ENCODED_RUSTFLAGS=$(
    # shellcheck disable=SC2086
    printf '%s\037' $flags
    printf '%s\037%s' "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" "--remap-path-prefix=$source=/source"
)
export CARGO_ENCODED_RUSTFLAGS
name=$(printf '%s' "$target" | tr - _)
# The compiler of the C code in dependencies, and the one that links.
own=$(rustc -vV | sed -n 's/^host: //p')
own=${own%%-*}
machine=${target%%-*}
link=cc
if [ "$machine" != "$own" ]; then link=$machine-linux-gnu-gcc; fi
compile=$link
specs=/usr/lib/$machine-linux-musl/musl-gcc.specs
case $target in
*-musl)
    if [ "$machine" = "$own" ] && [ -x "$(command -v musl-gcc)" ]; then
        compile=musl-gcc
    elif [ -f "$specs" ]; then
        compile="$link -specs=$specs"
    fi
    ;;
esac
# Without functions of libgcc for atomic operations, which Rust does not link.
if [ "$machine" = aarch64 ]; then export "CFLAGS_$name=-mno-outline-atomics"; fi
if [ -z "$(printenv "CC_$name")" ]; then export "CC_$name=$compile"; fi
export LINK_CC="$link"
linker=CARGO_TARGET_$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')_LINKER
export "$linker=$source/install/linker.sh"

cd "$source"
program=$build/$target/release/git-credential-pat
# cargo does not know that the list counts.
if [ -n "$(find install/hot-functions install/linker.sh -newer "$program" 2>/dev/null)" ]; then touch src/main.rs || :; fi
cargo build --release --locked --bin git-credential-pat --target "$target" --target-dir "$build" >&2
printf '%s\n' "$program"
