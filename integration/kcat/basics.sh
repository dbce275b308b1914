#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# kcat lists, produces, consumes, queries offsets, and has nothing to say on standard error.

. "$(dirname "$0")/rig.sh"

topic="${PREFIX}topic"
printf 'k1:v1\nk2:v2\nk3:\n' | kc -P -t "$topic" -K : -Z -H "a=b"

list=$(kc -L)
grep -q ' 1 brokers:' <<< "$list" || fail "list: $list"
grep -q "topic \"$topic\" with 1 partitions:" <<< "$list" || fail "list: $list"
grep -q '(controller)' <<< "$list" || fail "list: $list"
grep -q "partition 0, leader [0-9]*, replicas: [0-9]*, isrs: [0-9]*$" <<< "$list" || fail "list: $list"

got=$(kc -C -t "$topic" -o beginning -e -q -f '%o %k %s %h %S\n' -Z)
same "records" "0 k1 v1 a=b 2
1 k2 v2 a=b 2
2 k3 NULL a=b -1" "$got"
same "from an offset" "v2" "$(kc -C -t "$topic" -o 1 -c 1 -q)"
same "from the end" "k3" "$(kc -C -t "$topic" -o -1 -e -q -f '%k\n')"
same "offset by time" "$topic [0] offset 0" "$(kc -Q -t "$topic:0:1")"

for codec in gzip snappy lz4 zstd; do
    seq 1000 | kc -P -t "${PREFIX}$codec" -z "$codec"
    same "$codec" "$(seq 1000)" "$(kc -C -t "${PREFIX}$codec" -o beginning -e -q)"
done
