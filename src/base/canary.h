// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * canary: bugs that are built in on purpose, to prove that the tests find such bugs. Any thread.
 *
 * Only a build with -Dcanaries=true has them; in any other `canary(X)` is the constant false and
 * nothing of them is compiled. In such a build the environment variable ODRADEK_CANARY picks one by
 * its number for the whole run; 0 or nothing is the broker as it should be.
 *
 * The table is the only list: number, name, module, what has to catch it (test programs as
 * MODULE/NAME; sim: the simulator), and what it breaks. Numbers are never used again.
 */
#include <stdbool.h>

/* clang-format off */
#define CANARIES(X) \
    X( 1, ACK_BEFORE_SYNC, "store", "store/test_commit sim", "acks=all is answered before the medium has the batch") \
    X( 2, NO_DIR_SYNC, "store", "store/test_commit sim", "the directory of a new segment is not synced") \
    X( 3, SYNC_RETRIED, "store", "store/test_commit", "a failed sync is tried again on the same file") \
    X( 4, CUT_TOO_LOW, "store", "store/test_recovery", "damage below the recovery point cuts the log there") \
    X( 5, TAIL_BELIEVED, "store", "store/test_recovery sim", "recovery takes a batch with a wrong checksum") \
    X( 6, BEHIND_CUT_KEPT, "store", "store/test_recovery sim", "segments behind the cut stay in the log") \
    X( 7, STALE_INDEX, "store", "store/test_segment", "an index entry is believed without looking at the batch") \
    X( 8, HIGH_WATERMARK_EARLY, "store", "store/test_local", "readers are told of records that are not written yet") \
    X( 9, RETENTION_WRONG_END, "store", "store/test_calls", "retention removes the newest sealed segment, not the oldest") \
    X(10, COMPACTION_DROPS_LATEST, "store", "store/test_cleaner", "compaction removes the last record of a key") \
    X(11, TOMBSTONE_TOO_EARLY, "store", "store/test_cleaner", "tombstones go without their retention time") \
    X(12, TOPIC_RESURRECTED, "store", "store/test_recovery", "a directory of a deleted topic serves its namesake") \
    X(13, CRC_UNCHECKED, "store", "store/test_batch_check", "a batch with a wrong checksum is accepted") \
    X(14, NO_SEQUENCE_CHECK, "broker", "broker/test_producers", "any sequence is the next one") \
    X(15, DUPLICATE_APPENDED, "broker", "broker/test_producers", "a repeated batch is appended again") \
    X(16, FENCED_EPOCH_ACCEPTED, "broker", "broker/test_producers", "a batch of an older epoch is accepted") \
    X(17, PRODUCERS_LOST, "broker", "broker/test_partition", "nothing is known of producers after a restart") \
    X(18, LSO_AHEAD, "broker", "broker/test_txn_index", "the last stable offset passes an open transaction") \
    X(19, ABORTED_FORGOTTEN, "broker", "broker/test_txn_index", "aborted transactions are not listed to readers") \
    X(20, NO_MARKER, "broker", "api/test_end_txn", "a transaction ends without its markers") \
    X(21, FENCED_END_ACCEPTED, "broker", "broker/test_txn", "EndTxn of an older epoch ends the transaction of a newer one") \
    X(22, COMMIT_UNWRITTEN, "broker", "broker/test_groups", "an offset commit is answered and never written") \
    X(23, STALE_GENERATION, "broker", "broker/test_group", "a member of an older generation may commit") \
    X(24, WRONG_OFFSET, "api", "api/test_produce", "Produce answers the offset behind the first record") \
    X(25, SHARE_ACK_UNWRITTEN, "broker", "api/test_share_fetch", "what a share group acknowledges is answered and never written") \
    X(26, SHARE_LOCK_IGNORED, "broker", "broker/test_share_window", "a record that one member has acquired is given to another") \
    X(27, SHARE_COUNT_FORGOTTEN, "broker", "api/test_share_acknowledge", "the deliveries of a record are not counted over a restart") \
    X(28, SHARE_STATES_KEPT, "broker", "broker/test_groups_share", "a deleted share group leaves its delivery states behind")
/* clang-format on */

enum canary {
    CANARY_NONE = 0,
#define CANARY_NUMBER(number, name, module, catcher, what) CANARY_##name = (number),
    CANARIES(CANARY_NUMBER)
#undef CANARY_NUMBER
};

#ifdef ODRADEK_CANARIES
bool canary_is(enum canary canary);
#define canary(name) canary_is(CANARY_##name)
#else
#define canary(name) false
#endif
