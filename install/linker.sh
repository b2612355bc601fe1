#!/bin/sh
# The linker of build.sh: cc, which puts the functions that hot-functions lists side by side, and then the constants that they use.
#
# The first use of each page of a program costs a page fault, and these are most of the time that git waits. rustc calls this with
# the arguments of cc. Without lld and objcopy, which come with Rust, everything stays where it is.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cc=${LINK_CC:-cc}
rust=$(rustc --print sysroot)
tools=$rust/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
for tool in "$tools/gcc-ld/ld.lld" "$tools/rust-objcopy" "$(command -v readelf)" "$(command -v c++filt)"; do
    [ -x "$tool" ] || exec "$cc" "$@"
done
# cargo links with it what runs during the build as well.
case " $* " in
*/git_credential_pat-*) ;;
*) exec "$cc" "$@" ;;
esac

# The largest object has the whole program: it is compiled as one.
object=
size=0
for argument; do
    case $argument in
    *.o) [ -f "$argument" ] || continue ;;
    *) continue ;;
    esac
    bytes=$(wc -c <"$argument")
    if [ "$bytes" -gt "$size" ]; then
        object=$argument
        size=$bytes
    fi
done

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
# Its functions and variables by the names that the linker knows; then beside each the name that the list has.
readelf -sW "$object" | awk '$4 ~ /FUNC|OBJECT/ && $7 != "UND" { print $8 }' >"$scratch/symbols"
c++filt <"$scratch/symbols" | sed 's/\[[0-9a-f]*\]//g' >"$scratch/readable"
paste "$scratch/symbols" "$scratch/readable" >"$scratch/names"
awk -F '\t' '
    /^#/ { next }
    NR == FNR { symbols[$2] = symbols[$2] $1 "\n"; next }
    $0 in symbols { printf "%s", symbols[$0]; next }
    # A function of the C library has one name.
    !/[ :<]/ { print }
' "$scratch/names" "$here/hot-functions" >"$scratch/order"
# The constants have no names, and a section each: a symbol gives them one.
readelf -rW "$object" | awk -F "'" '
    NR == FNR { hot[$0]; next }
    /^Relocation section/ { function_ = $2; is_hot = sub(/^\.rela\.text\./, "", function_) && function_ in hot; next }
    is_hot && match($0, / \.rodata\.[^ ]+/) {
        section = substr($0, RSTART + 1, RLENGTH - 1)
        # Constants and strings that the linker merges.
        if (section !~ /^\.rodata\.(cst|str)/ && !seen[section]++) print section
    }
' "$scratch/order" - | awk -v order="$scratch/order" '
    { print "--add-symbol=hot_constant_" NR "=" $0 ":0,global,hidden"; print "hot_constant_" NR >>order }
' >"$scratch/added"
as_usual() {
    "$cc" "$@"
    exit
}
LD_LIBRARY_PATH=$rust/lib "$tools/rust-objcopy" "@$scratch/added" "$object" "$scratch/program.o" || as_usual "$@"
# Linked first: the constants then share 64 KiB with the program's headers, which the C library reads. The alignment makes the code
# begin where such a piece begins, since a page fault maps the whole piece around it.
"$cc" -c -x assembler -o "$scratch/first.o" - <<'END' || as_usual "$@"
.section .rodata.first,"aR",%progbits
.quad 0
.section .text.first,"axR",%progbits
.balign 65536
.quad 0
END
for argument; do
    shift
    case $argument in
    "$object") argument=$scratch/program.o ;;
    # Their code lies far from all other code, and is not needed: the program has no old-style constructors (.init), it finds its
    # unwind tables by its headers, and lld ends .eh_frame without crtend.o.
    */self-contained/crti.o | */self-contained/crtn.o | */self-contained/crtbegin.o | */self-contained/crtend.o) continue ;;
    esac
    set -- "$@" "$argument"
done
# Tables that become read-only then share no page with other data.
set -- "$scratch/first.o" "$@" -Wl,-z,separate-loadable-segments
"$cc" "$@" -fuse-ld=lld "-B$tools/gcc-ld" -Xlinker "--symbol-ordering-file=$scratch/order" -Wl,--no-warn-symbol-ordering
