#!/bin/sh
# The linker of build.sh: cc, which puts the functions that hot-functions lists side by side.
#
# The first use of each page of a program costs a page fault, and these are most of the time that git waits. rustc calls this with
# the arguments of cc. Without lld, which comes with Rust, all functions stay where they are.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cc=${LINK_CC:-cc}
lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
if [ ! -x "$lld/ld.lld" ] || [ ! -x "$(command -v c++filt)" ]; then
    exec "$cc" "$@"
fi
# cargo links with it what runs during the build as well.
case " $* " in
*/git_credential_pat-*) ;;
*) exec "$cc" "$@" ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
# The functions of the program by the names that the linker knows; then beside each the name that the list has.
for argument; do
    case $argument in
    *.o) nm --defined-only "$argument" ;;
    esac
done 2>/dev/null | sed -n 's/^[0-9a-f]* [tTwWbBdD] //p' >"$scratch/symbols"
c++filt <"$scratch/symbols" | sed 's/\[[0-9a-f]*\]//g' >"$scratch/readable"
paste "$scratch/symbols" "$scratch/readable" >"$scratch/names"
awk -F '\t' '
    /^#/ { next }
    NR == FNR { symbols[$2] = symbols[$2] $1 "\n"; next }
    $0 in symbols { printf "%s", symbols[$0]; next }
    # A function of the C library has one name.
    !/[ :<]/ { print }
' "$scratch/names" "$here/hot-functions" >"$scratch/order"
"$cc" "$@" -fuse-ld=lld "-B$lld" "-Wl,--symbol-ordering-file=$scratch/order" -Wl,--no-warn-symbol-ordering
