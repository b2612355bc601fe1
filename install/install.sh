#!/bin/sh
# Builds git-credential-pat and installs it for you. See --help.
set -eu
# What it installs is for others to read, and for no other to write, whatever the caller's umask.
umask 022

# In braces, so that the shell reads all of it before it runs any: the sources may change meanwhile.
{

program=git-credential-pat

usage() {
    cat <<'END'
Builds git-credential-pat and installs program, manual page and shell completions.

usage: sh install/install.sh [--prefix DIR] [--binary FILE] [--setup] [--dry-run] [-- WORD...]

  --prefix DIR   install under DIR instead of ~/.local
  --binary FILE  install this program, built before, instead of building one
  --setup        then have git ask it: runs 'git-credential-pat setup WORD...'
  --dry-run      say what would be done, and do nothing
  --help         this text

Examples:
  sh install/install.sh --setup
  sh install/install.sh --setup -- --storage memory --timeout 8h

It can be run again at any time. install/uninstall.sh takes it back.
END
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    for hint; do printf 'hint: %s\n' "$hint" >&2; done
    exit 1
}

misuse() {
    printf 'error: %s\nhint: --help shows what it takes\n' "$1" >&2
    exit 2
}

# refuse_control NAME VALUE: a newline would make two lines of a path, in git's configuration and in what is shown.
refuse_control() {
    case $2 in
    *[[:cntrl:]]*) fail "$1 holds a control character" "name another one" ;;
    esac
}

# One word of a command that can be pasted into a shell.
word() {
    case $1 in
    *[!A-Za-z0-9_./:,@+-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
    esac
}

absolute() {
    case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$PWD/$1" ;;
    esac
}

prefix=
binary=
setup=no
dry_run=no
while [ $# -gt 0 ]; do
    case $1 in
    --prefix | --binary)
        if [ $# -lt 2 ] || [ -z "$2" ]; then misuse "$1 needs a value"; fi
        case $1 in
        --prefix) prefix=$2 ;;
        --binary) binary=$2 ;;
        esac
        shift
        ;;
    --prefix=?*) prefix=${1#--prefix=} ;;
    --binary=?*) binary=${1#--binary=} ;;
    --setup) setup=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    --)
        shift
        break
        ;;
    *) misuse "unknown option: $1" ;;
    esac
    shift
done
# What is left in "$@" goes to 'git-credential-pat setup'.
if [ $# -gt 0 ] && [ "$setup" = no ]; then
    misuse "what follows -- goes to setup: give --setup as well"
fi

if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail "HOME is not set" "set it, or say where to install with --prefix DIR"
    prefix=$HOME/.local
fi
refuse_control "the prefix" "$prefix"
refuse_control "the name of the program" "$binary"
for option; do refuse_control "an option for setup" "$option"; done
prefix=$(absolute "$prefix")
prefix=${prefix%/}
refuse_control "the working directory" "$prefix"
# As root in the home of a user: the folders would be root's, and closed to that user.
if [ "$(id -u)" = 0 ]; then
    above=$prefix
    while [ ! -e "$above" ]; do above=$(dirname -- "$above"); done
    [ -n "$(find -H "$above" -prune -user 0)" ] ||
        fail "$above belongs to another user" "run this as that user, without sudo, or name a folder of root's: --prefix /usr/local"
fi
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
page=$source/docs/$program.1
[ -f "$page" ] || fail "cannot find $page" "run this script where it is in the project's sources"

bin=$prefix/bin
target_program=$bin/$program
target_page=$prefix/share/man/man1/$program.1
target_bash=$prefix/share/bash-completion/completions/$program
target_zsh=$prefix/share/zsh/site-functions/_$program
target_fish=$prefix/share/fish/vendor_completions.d/$program.fish
# fish reads a file of completions for its own command only: that of 'git credential-pat' is read at start.
target_fish_git=$prefix/share/fish/vendor_conf.d/$program.fish

# What is needed, and which kind of program will be built.

has() { command -v "$1" >/dev/null 2>&1; }

# Whether version $1 is at least $2; the first two numbers count.
at_least() {
    awk -v is="$1" -v wanted="$2" 'BEGIN {
        split(is, a, "."); split(wanted, b, ".")
        exit !(a[1] + 0 > b[1] + 0 || (a[1] + 0 == b[1] + 0 && a[2] + 0 >= b[2] + 0))
    }'
}

# Whether the system has what a static program of its own C library needs.
links_statically() {
    case $rust_target in
    *-linux-*) ;;
    *) return 1 ;;
    esac
    printf 'int main(void) { return 0; }\n' | cc -static -x c -o /dev/null - 2>/dev/null
}

missing=
need() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    missing=yes
}

if [ "$setup" = yes ] && ! has git; then
    need "cannot find git on PATH" "on Debian: sudo apt-get install git"
fi
rust_target=
static=no
linking=
if [ -n "$binary" ]; then
    binary=$(absolute "$binary")
    [ -f "$binary" ] || need "cannot find $binary" "leave --binary out to build it"
else
    wanted=$(sed -n 's/^rust-version *= *"\(.*\)".*/\1/p' "$source/Cargo.toml")
    # Debian 12's own cargo is too old, and that of many others is.
    rust_hint="get Rust $wanted or later: on Debian 13 'sudo apt-get install rustup && rustup default stable', elsewhere https://rustup.rs"
    if ! has cargo || ! has rustc; then
        need "cannot find cargo, which builds the program" "$rust_hint"
    else
        found=$(cd "$source" && rustc --version | cut -d ' ' -f 2) || found=
        if [ -z "$found" ]; then
            need "rustc does not run" "$rust_hint"
        elif ! at_least "$found" "$wanted"; then
            need "Rust $found is too old" "$rust_hint"
        fi
    fi
    if ! has cc; then
        need "cannot find cc, a C compiler" "on Debian: sudo apt-get install build-essential"
    fi
    if [ -z "$missing" ]; then
        rust_target=$(rustc -vV | sed -n 's/^host: //p')
        linking="linked with this system's C library"
        musl=$(uname -m)-unknown-linux-musl
        folder=$(rustc --print target-libdir --target "$musl" 2>/dev/null) || folder=
        # A static program starts in less than half the time of a dynamic one: see docs/benchmarks.md.
        if has musl-gcc && [ -n "$folder" ] && [ -d "$folder" ]; then
            rust_target=$musl
            static=yes
            linking="static, with musl"
        elif links_statically; then
            static=yes
            linking="static, with this system's C library"
        fi
    fi
fi
[ -z "$missing" ] || exit 1
for target in "$target_program" "$target_page" "$target_bash" "$target_zsh" "$target_fish" "$target_fish_git"; do
    [ ! -d "$target" ] || fail "$target is a folder" "move it away, or choose another --prefix"
done

# Say it.

if [ -n "$binary" ]; then
    say "This will take $binary, and install"
else
    say "This will build $program with cargo ($linking) in one to five minutes, and install"
fi
say "  $target_program"
say "  $target_page"
say "  $target_bash"
say "  $target_zsh"
say "  $target_fish"
say "  $target_fish_git"
if [ "$setup" = yes ]; then
    options=
    for option; do options="$options $(word "$option")"; done
    say "and have git ask it: $program setup$options"
fi
if [ "$dry_run" = yes ]; then
    say "Nothing was done (--dry-run)."
    exit 0
fi

# Build it.

if [ -z "$binary" ]; then
    build=$(absolute "${CARGO_TARGET_DIR:-$source/target}")
    if [ "$static" = yes ]; then
        binary=$(CARGO_TARGET_DIR=$build sh "$source/install/build.sh" "$rust_target") || binary=
        [ -n "$binary" ] || say "The static program could not be built. This will build a dynamic one."
    fi
    if [ -z "$binary" ]; then
        (
            cd "$source"
            cargo build --release --locked --bin "$program" --target-dir "$build"
        ) && binary=$build/release/$program
    fi
    [ -n "$binary" ] || fail "cargo could not build the program" "nothing was installed"
fi

# Install it: whole or not at all, so that a git or a daemon that runs meanwhile is not disturbed.

new=
scratch=
# The installed program, in a folder of its own instead of the user's.
alone() { env -i HOME="$scratch" PATH="${PATH:-/usr/bin:/bin}" "$target_program" "$@"; }
# The traps call it.
# shellcheck disable=SC2317
clean_up() {
    [ -z "$new" ] || rm -f -- "$new"
    if [ -n "$scratch" ]; then
        alone --socket "$scratch/run/socket" cache stop >/dev/null 2>&1 || :
        rm -rf -- "$scratch"
    fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# install_as MODE TARGET, the bytes from standard input. A program must run before it takes the old one's place.
install_as() {
    folder=$(dirname -- "$2")
    mkdir -p -- "$folder" || fail "cannot make $folder"
    # A name that no one can guess, made anew: a link that is planted there is not followed.
    new=$(mktemp "$folder/.$program.new.XXXXXX") || fail "cannot write in $folder"
    cat >"$new" || fail "cannot write in $folder"
    chmod "$1" "$new"
    if [ "$1" = 755 ]; then
        version=$("$new" --version) ||
            fail "the new program does not run" "it may be built for another system, or $folder may forbid programs"
    fi
    mv -f -- "$new" "$2" || fail "cannot replace $2"
    new=
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/$program.XXXXXX") || fail "cannot make a folder in ${TMPDIR:-/tmp}"
install_as 755 "$target_program" <"$binary"
install_as 644 "$target_page" <"$page"
for shell in bash zsh fish; do
    "$target_program" completions "$shell" >"$scratch/$shell" || fail "cannot make the completions for $shell"
done
install_as 644 "$target_bash" <"$scratch/bash"
install_as 644 "$target_zsh" <"$scratch/zsh"
install_as 644 "$target_fish" <"$scratch/fish"
install_as 644 "$target_fish_git" <"$scratch/fish"
say "Installed $version."

# Check it, with a credential that is made up, in a folder that is thrown away: nothing of yours is read or written.

check() {
    kind=$1
    shift
    question='protocol=https
host=self-check.invalid
username=nobody'
    secret=made-up-$$
    printf '%s\npassword=%s\n\n' "$question" "$secret" | alone "$@" --storage "$kind" store || return 1
    answer=$(printf '%s\n\n' "$question" | alone "$@" --storage "$kind" get) || return 1
    case $answer in
    *"password=$secret"*) ;;
    *) return 1 ;;
    esac
    # It says what was refused, as it should; here nobody needs to hear that.
    printf '%s\npassword=%s\n\n' "$question" "$secret" | alone "$@" --storage "$kind" erase 2>"$scratch/said" || {
        cat "$scratch/said" >&2
        return 1
    }
    answer=$(printf '%s\n\n' "$question" | alone "$@" --storage "$kind" get) || return 1
    [ -z "$answer" ]
}

for kind in memory file; do
    check "$kind" --socket "$scratch/run/socket" --file "$scratch/credentials" ||
        fail "the self-check failed: the installed program did not keep and forget a made-up credential in $kind" \
            "the program is installed and git was told nothing; please report this"
done
alone --socket "$scratch/run/socket" cache stop >/dev/null ||
    fail "the self-check failed: the memory daemon did not leave"
say "Self-check passed: stored, found and erased a made-up credential in memory and in a file."

# Have git ask it.

# Run again without options, it leaves those that were chosen before.
asked=
if [ "$setup" = yes ] && [ $# -eq 0 ]; then
    asked=$(git config --global --get-all credential.helper | grep -F -- "$target_program" | head -n 1) || asked=
fi
if [ -n "$asked" ]; then
    say "git asks it already: $asked"
elif [ "$setup" = yes ]; then
    say "Setting it up:"
    "$target_program" setup "$@" || fail "git could not be told" "try again: $(word "$target_program") setup"
else
    say "To have git ask it: $(word "$target_program") setup"
fi
case :${PATH:-}: in
*":$bin:"*) ;;
*)
    say "$bin is not on your PATH. git does not need that, but you do, to type 'git credential-pat list'."
    say "Add this line to ~/.profile (bash, sh) or ~/.zshrc (zsh), and log in again:"
    say "  export PATH=$(word "$bin"):\"\$PATH\""
    ;;
esac
exit 0
}
