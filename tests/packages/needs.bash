#!/usr/bin/env bash
# Read by the scripts in this folder: what to do without a tool, and how to fail.

has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# left_out REASON: says so, or fails with CI=true.
left_out() {
    [[ ${CI:-} != true ]] || fail "$*, and with CI=true nothing may be left out"
    printf 'LEFT OUT: %s\n' "$*"
}

# needs TOOL PACKAGE...: leaves out the whole part if a tool is missing.
needs() {
    while (($#)); do
        if ! has "$1"; then
            left_out "$1 (package $2) is not here"
            exit 0
        fi
        shift 2
    done
}
