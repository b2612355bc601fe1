#!/bin/sh
# Takes back what install.sh did. See --help.
set -eu
umask 022

# In braces, so that the shell reads all of it before it runs any: the sources may change meanwhile.
{

program=git-credential-pat

usage() {
    cat <<'END'
Takes git-credential-pat out of git's configuration and removes what install.sh installed.
Credentials are kept unless you say --purge.

usage: sh install/uninstall.sh [--prefix DIR] [--system] [--purge] [--dry-run]

  --prefix DIR  where it was installed, instead of ~/.local
  --system      take it out of the configuration for all users as well ('setup --system')
  --purge       also remove the plaintext file, the journal, the guard of rotations and
                config.toml. What is in the keychain stays: it belongs to git's own helper too
  --dry-run     say what would be done, and do nothing
  --help        this text

It can be run again at any time.
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

prefix=
system=no
purge=no
dry_run=no
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        if [ $# -lt 2 ] || [ -z "$2" ]; then misuse "$1 needs a value"; fi
        prefix=$2
        shift
        ;;
    --prefix=?*) prefix=${1#--prefix=} ;;
    --system) system=yes ;;
    --purge) purge=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) misuse "unknown option: $1" ;;
    esac
    shift
done

# A newline would make two paths of one, and remove what the second names.
for path in "$prefix" "${HOME:-}" "$PWD" "${XDG_CONFIG_HOME:-}" "${XDG_DATA_HOME:-}" "${XDG_STATE_HOME:-}" "${XDG_RUNTIME_DIR:-}"; do
    case $path in
    *[[:cntrl:]]*) fail "the prefix, the working directory, HOME or XDG_*_HOME holds a control character" "name another folder" ;;
    esac
done
[ -n "${HOME:-}" ] || [ -n "$prefix" ] ||
    fail "HOME is not set" "set it, or say where it was installed with --prefix DIR"
[ -n "$prefix" ] || prefix=$HOME/.local
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
prefix=${prefix%/}
installed=$prefix/bin/$program

# The folders of the XDG base directory specification: a path that is not absolute does not count.
folder() {
    case $1 in
    /*) printf '%s\n' "$1/$program" ;;
    *) [ -z "${HOME:-}" ] || printf '%s\n' "$HOME/$2/$program" ;;
    esac
}

# What is there, one path a line. No file of ours has a control character in its name.
present() {
    for path; do
        case $path in *[[:cntrl:]]*) continue ;; esac
        if [ -f "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
    done
}

files=$(present "$installed" \
    "$prefix/share/man/man1/$program.1" \
    "$prefix/share/bash-completion/completions/$program" \
    "$prefix/share/zsh/site-functions/_$program" \
    "$prefix/share/fish/vendor_completions.d/$program.fish" \
    "$prefix/share/fish/vendor_conf.d/$program.fish")

config=$(folder "${XDG_CONFIG_HOME:-}" .config)
data=$(folder "${XDG_DATA_HOME:-}" .local/share)
state=$(folder "${XDG_STATE_HOME:-}" .local/state)
runtime=${XDG_RUNTIME_DIR:-/nonexistent}/$program
own=$(present "$data/credentials" "$data/credentials.lock" "$data/.credentials.git-credential-pat-new" \
    "$state/journal" "$state/journal.lock" "$state/.journal.git-credential-pat-new" "$config/config.toml" \
    "$state/rotation" "$state/rotation.lock" "$state/.rotation.git-credential-pat-new" \
    "$state"/rotation-* "$state"/.rotation-*.git-credential-pat-new \
    "$state/keychain.lock" \
    "$runtime/socket.lock" "$state"/run/socket-*.lock \
    "$state"/setup--*/setup "$state"/setup--*/setup.lock "$state"/setup--*/.setup.git-credential-pat-new)

remove() {
    printf '%s\n' "$1" | while IFS= read -r path; do
        [ -n "$path" ] || continue
        rm -f -- "$path" || exit 1
        say "removed $path"
    done
}

shown() { [ -z "$1" ] || printf '%s\n' "$1" | sed 's/^/  /'; }

has_git=no
if command -v git >/dev/null 2>&1; then has_git=yes; fi

# Say it.

if [ -x "$installed" ]; then
    say "This will"
    if [ "$has_git" = yes ]; then
        say "- take every line that runs $program out of git's configuration:"
        "$installed" setup --undo --dry-run | sed 's/^/  /'
        if [ "$system" = yes ]; then "$installed" setup --undo --system --dry-run | sed 's/^/  /'; fi
    else
        say "- leave git's configuration as it is, for there is no git on PATH"
        "$installed" setup --undo --reminder --dry-run | sed 's/^/  /'
    fi
    say "- end the memory daemon, which forgets what it keeps"
    say "- remove"
else
    say "There is no $installed: git's configuration and the memory daemon are left as they are."
    [ -z "$files" ] || say "This will remove"
fi
shown "$files"
if [ "$purge" = yes ] && [ -n "$own" ]; then
    say "and, as you said --purge, for good:"
    shown "$own"
else
    kept=$(printf '%s\n' "$own" | grep -v '\.lock$' || :)
    if [ -n "$kept" ]; then
        say "It keeps (--purge would remove them):"
        shown "$kept"
    fi
fi
if [ "$dry_run" = yes ]; then
    say "Nothing was done (--dry-run)."
    exit 0
fi

# Do it. git first: it must not ask for a program that has gone.

if [ -x "$installed" ]; then
    [ "$has_git" = no ] || "$installed" setup --undo ||
        fail "git's configuration was not changed, and nothing was removed" "fix the problem above, and try again"
    if [ "$has_git" = yes ] && [ "$system" = yes ]; then
        "$installed" setup --undo --system ||
            fail "the system's git configuration was not changed, and nothing was removed" "it may need sudo"
    fi
    [ "$has_git" = yes ] || "$installed" setup --undo --reminder ||
        say "The timer of 'setup --reminder' was not removed."
    "$installed" cache stop ||
        say "The memory daemon was not reached. It leaves by itself once it has nothing left to keep."
fi
remove "$files"
if [ "$purge" = yes ]; then
    remove "$own"
    # Our own folders, if nothing else is in them.
    for path in "$data" "$state/run" "$state"/setup--* "$state" "$config" "$runtime"; do
        [ ! -d "$path" ] || rmdir -- "$path" 2>/dev/null || say "kept $path: there is more in it"
    done
fi
say "Done."
exit 0
}
