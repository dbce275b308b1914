# SPDX-License-Identifier: BSD-2-Clause
#
# What the kcat scenarios share: sourced by each. kcat's standard error must stay empty; `kc` checks that.

set -eu

fail() {
    echo "$0: $*" >&2
    exit 1
}

# kc ARGUMENT..: kcat on the broker, silent on standard error.
kc() {
    local status=0
    kcat -b "$BOOTSTRAP" "$@" 2> "$TMPDIR/stderr" || status=$?
    if [ -s "$TMPDIR/stderr" ]; then
        cat "$TMPDIR/stderr" >&2
        fail "kcat $* complained"
    fi
    return $status
}

# same WHAT EXPECTED GOT
same() {
    [ "$2" = "$3" ] || fail "$1: expected
$2
but got
$3"
}
