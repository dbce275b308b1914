#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# kcat as a member of a group: it reads, commits on leaving, and the next one goes on from there.

. "$(dirname "$0")/rig.sh"

topic="${PREFIX}topic"
seq 10 | kc -P -t "$topic"

# With -G kcat reports each rebalance on standard error, so only that may be there.
member() {
    timeout 40 kcat -b "$BOOTSTRAP" -q -G "${PREFIX}group" -X auto.offset.reset=earliest "$@" "$topic" 2> "$TMPDIR/group" ||
        fail "kcat -G: $(cat "$TMPDIR/group")"
    if grep -v '^% Group .* rebalanced' "$TMPDIR/group" | grep -q .; then fail "kcat -G: $(cat "$TMPDIR/group")"; fi
}

same "the first four" "$(seq 4)" "$(member -c 4)"
seq 11 12 | kc -P -t "$topic"
same "the rest" "$(seq 5 12)" "$(member -c 8)"
