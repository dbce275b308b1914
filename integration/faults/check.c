// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rules, per lane, with everything in the order in which it was sent:
 *
 *   acknowledged  there, at the offset that was told, with the bytes that were sent
 *   no answer     there or not; but nothing behind a batch that is not there (no hole)
 *   anything else not there
 *
 * A compacted lane may lack what a later record of the key supersedes. A transaction is visible as
 * a whole in both partitions or in neither; an aborted one in neither. A deleted topic stays away,
 * and a topic holds nothing of an earlier life. What only grows (committed offset, log start) is at
 * least what was acknowledged, at most what was sent.
 */
#include "check.h"
#include "scan.h"

#include <stdlib.h>
#include <string.h>

static int lane_fault(
    struct model *model, int number, const char *what, uint32_t id, int64_t wanted, int64_t got)
{
    const struct lane *lane = &model->lanes[number];
    return model_fault(model, "%s-%d: %s: id %u, offset %lld, found at %lld", lane->topic,
        lane->partition, what, id, (long long)wanted, (long long)got);
}

/* Compares what a plain lane holds with batches first.. of it. Open ones that are there get their
 * offset. */
static int check_plain(struct model *model, int number, const struct scan *scan, size_t first)
{
    struct lane *lane = &model->lanes[number];
    size_t at = 0;
    bool missing = false;
    for (size_t i = first; i < lane->n_sent; i++) {
        struct sent *sent = &lane->sent[i];
        bool here = at < scan->n_found && scan->found[at].id == sent->id;
        if (sent->fate == FATE_ACKED && sent->offset + sent->count <= scan->log_start)
            continue; /* deleted, which is judged by the log start */
        if (!here && sent->fate == FATE_ACKED && sent->offset >= scan->log_start)
            return lane_fault(model, number, "acknowledged and lost", sent->id, sent->offset, -1);
        if (here && missing)
            return lane_fault(model, number, "behind a hole", sent->id, -1, scan->found[at].offset);
        if (!here && sent->fate == FATE_ACKED) { /* the log starts within this batch */
            while (at < scan->n_found && scan->found[at].id < sent->id + sent->count)
                at++;
            continue;
        }
        missing = missing || !here;
        for (uint32_t j = 0; here && j < sent->count; j++, at++) {
            const struct found *found = &scan->found[at];
            int64_t wanted = sent->fate == FATE_ACKED ? sent->offset + j : found->offset;
            if (at >= scan->n_found || found->id != sent->id + j || found->offset != wanted)
                return lane_fault(model, number, "a batch in pieces", sent->id + j, wanted,
                    at < scan->n_found ? found->offset : -1);
            if (found->mark != sent->mark)
                return lane_fault(
                    model, number, "of another life", found->id, wanted, found->offset);
            if (sent->fate == FATE_OPEN && j == 0)
                sent->offset = found->offset;
        }
    }
    if (at != scan->n_found)
        return lane_fault(model, number, "twice, or out of order", scan->found[at].id, -1,
            scan->found[at].offset);
    return 0;
}

/* The newest batch with this record's key, and each record where it was acknowledged. */
static int check_keys(struct model *model, const struct scan *scan)
{
    struct lane *lane = &model->lanes[LANE_KEYS];
    int64_t newest[MODEL_KEYS];
    memset(newest, -1, sizeof(newest));
    size_t batch = 0;
    for (size_t i = 0; i < scan->n_found; i++) {
        const struct found *found = &scan->found[i];
        while (batch < lane->n_sent && lane->sent[batch].id + lane->sent[batch].count <= found->id)
            batch++;
        struct sent *sent = &lane->sent[batch];
        int64_t place = found->offset - (found->id - sent->id);
        if (i > 0 && (found->id <= found[-1].id || found->offset <= found[-1].offset))
            return lane_fault(
                model, LANE_KEYS, "twice, or out of order", found->id, -1, found->offset);
        if (sent->fate == FATE_ACKED && place != sent->offset)
            return lane_fault(model, LANE_KEYS, "moved", found->id, sent->offset, found->offset);
        sent->offset = place;
        newest[model_key(LANE_KEYS, found->id)] = found->id;
    }
    for (batch = 0; batch < lane->n_sent; batch++) {
        const struct sent *sent = &lane->sent[batch];
        for (uint32_t j = 0; j < sent->count && sent->fate == FATE_ACKED; j++) {
            if (newest[model_key(LANE_KEYS, sent->id + j)] < (int64_t)sent->id + j)
                return lane_fault(
                    model, LANE_KEYS, "acknowledged and lost", sent->id + j, sent->offset + j, -1);
        }
    }
    return 0;
}

/* How many records of each transaction a partition shows; each where it was acknowledged. */
static int txn_count(struct model *model, int number, const struct scan *scan, unsigned *counts)
{
    struct lane *lane = &model->lanes[number];
    size_t batch = 0;
    for (size_t i = 0; i < scan->n_found; i++) {
        const struct found *found = &scan->found[i];
        while (batch < lane->n_sent && lane->sent[batch].id + lane->sent[batch].count <= found->id)
            batch++;
        const struct sent *sent = &lane->sent[batch];
        if (i > 0 && found->id <= found[-1].id)
            return lane_fault(
                model, number, "twice, or out of order", found->id, -1, found->offset);
        if (sent->fate != FATE_ACKED || found->mark != sent->mark ||
            sent->offset + (found->id - sent->id) != found->offset)
            return lane_fault(
                model, number, "not as acknowledged", found->id, sent->offset, found->offset);
        counts[found->mark]++;
    }
    return 0;
}

static int check_txns(struct model *model, const struct scan scans[2])
{
    unsigned *counts[2];
    int r = 0;
    for (int i = 0; i < 2; i++) {
        counts[i] = calloc(model->n_txns + 1, sizeof(**counts));
        if (counts[i] == NULL)
            abort();
        if (r == 0)
            r = txn_count(model, LANE_TX_0 + i, &scans[i], counts[i]);
    }
    for (size_t i = 0; r == 0 && i < model->n_txns; i++) {
        const struct txn *txn = &model->txns[i];
        bool all = counts[0][i] == 2 && counts[1][i] == 1;
        bool none = counts[0][i] == 0 && counts[1][i] == 0;
        bool committed = txn->commit && txn->end_acked;
        bool open = txn->commit && txn->end_sent && !txn->end_acked;
        if ((committed && !all) || (!committed && !open && !none) || (open && !all && !none))
            r = model_fault(model,
                "transaction %zu (commit %d, end sent %d, acknowledged %d) shows "
                "%u and %u records",
                i, txn->commit, txn->end_sent, txn->end_acked, counts[0][i], counts[1][i]);
    }
    free(counts[0]);
    free(counts[1]);
    return r;
}

/* The topic that comes and goes: absent, or what its last life was sent. */
static int check_life(struct model *model, const struct scan *scan)
{
    const struct life *life = model->n_lives > 0 ? &model->lives[model->n_lives - 1] : NULL;
    if (scan->code == WIRE_UNKNOWN_TOPIC) {
        if (life != NULL && life->made && !life->gone_sent)
            return model_fault(model, "topic gone: its creation was acknowledged, it is not there");
        return 0;
    }
    if (life == NULL || life->gone)
        return model_fault(model, "topic gone: its deletion was acknowledged, it is there");
    size_t first = 0;
    struct lane *lane = &model->lanes[LANE_GONE];
    while (first < lane->n_sent && lane->sent[first].mark + 1u < model->n_lives)
        first++;
    return check_plain(model, LANE_GONE, scan, first);
}

static int check_commit(struct model *model)
{
    struct frame_reader reader;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_OFFSET_FETCH, 1);
    frame_put_string(out, "faults-group", false);
    frame_put_i32(out, 1);
    frame_put_string(out, "all", false);
    frame_put_i32(out, 1);
    frame_put_i32(out, 0);
    if (wire_send(&model->wire) < 0 || wire_receive(&model->wire, &reader) < 0)
        return -1;
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    frame_get_count(&reader, false);
    frame_get_i32(&reader);
    int64_t offset = frame_get_i64(&reader);
    frame_skip_string(&reader, false);
    int16_t code = frame_get_i16(&reader);
    if (offset < 0)
        offset = 0;
    if (!reader.ok || code != 0 || offset < model->commit.acked || offset > model->commit.sent)
        return model_fault(model, "committed offset: error %d, %lld, acknowledged %lld, sent %lld",
            code, (long long)offset, (long long)model->commit.acked, (long long)model->commit.sent);
    model->commit.acked = offset;
    return 0;
}

static int check_lane(struct model *model, int number, const struct scan *scan)
{
    const struct lane *lane = &model->lanes[number];
    if (number == LANE_GONE)
        return check_life(model, scan);
    if (scan->code == WIRE_UNKNOWN_TOPIC) { /* the kill came before its creation was answered */
        if (lane->n_sent > 0)
            return model_fault(model, "%s-%d is not there", lane->topic, lane->partition);
        return 0;
    }
    if (number == LANE_TRIM) {
        if (scan->log_start < model->trim.acked || scan->log_start > model->trim.sent)
            return model_fault(model, "the log starts at %lld, acknowledged %lld, sent %lld",
                (long long)scan->log_start, (long long)model->trim.acked,
                (long long)model->trim.sent);
        model->trim.acked = scan->log_start;
    } else if (number != LANE_KEYS && scan->log_start != 0)
        return model_fault(model, "%s-%d starts at %lld", lane->topic, lane->partition,
            (long long)scan->log_start);
    return number == LANE_KEYS ? check_keys(model, scan) : check_plain(model, number, scan, 0);
}

static int check_all(struct model *model)
{
    struct scan scans[LANES] = {{0}};
    int r = check_commit(model);
    for (int i = 0; r == 0 && i < LANES; i++) {
        r = scan_lane(model, i, &scans[i]);
        if (r == 0 && i != LANE_TX_0 && i != LANE_TX_1)
            r = check_lane(model, i, &scans[i]);
    }
    if (r == 0 && model->n_txns > 0)
        r = check_txns(model, &scans[LANE_TX_0]);
    for (int i = 0; i < LANES; i++)
        scan_deinit(&scans[i]);
    return r;
}

/* A producer sends what had no answer once more; what was there already must stay once. Others do
 * not: what is not there stays away, the rest counts as acknowledged from now on. */
static int settle(struct model *model)
{
    for (int number = 0; number < LANES; number++) {
        struct lane *lane = &model->lanes[number];
        bool transactional = number == LANE_TX_0 || number == LANE_TX_1;
        size_t kept = 0;
        for (size_t i = 0; i < lane->n_sent && !transactional; i++) {
            struct sent *sent = &lane->sent[i];
            if (sent->fate == FATE_OPEN && lane->idempotent) {
                int64_t offset = sent->offset;
                if (model_resend(model, number, i) < 0)
                    return -1;
                if (offset >= 0 && sent->offset != offset)
                    return lane_fault(model, number, "sent again", sent->id, offset, sent->offset);
            }
            sent->fate = sent->offset >= 0 ? FATE_ACKED : sent->fate;
            if (sent->fate == FATE_ACKED)
                lane->sent[kept++] = *sent;
        }
        lane->n_sent = transactional ? lane->n_sent : kept;
    }
    return 0;
}

/* It must go on working: another batch into each lane, a transaction. */
static int go_on(struct model *model)
{
    for (int number = 0; number < LANES; number++) {
        const struct lane *lane = &model->lanes[number];
        if (number == LANE_GONE || number == LANE_TX_0 || number == LANE_TX_1 || lane->n_sent == 0)
            continue;
        if (model_produce(model, number, 0, 2) < 0)
            return -1;
    }
    if (model->lanes[LANE_TX_0].n_sent > 0 && model_transaction(model, true) < 0)
        return -1;
    return model_drain(model);
}

/* The transactional producer comes back first: whatever it left open is then aborted. */
int model_check(struct model *model)
{
    model->n_flight = 0;
    if (model->lanes[LANE_TX_0].n_sent > 0) {
        if (model_init_producer(model, "faults-txn", &model->txn_producer_id, &model->txn_epoch) <
            0)
            return -1;
        model->lanes[LANE_TX_0].next_sequence = model->lanes[LANE_TX_1].next_sequence = 0;
    }
    if (check_all(model) < 0 || settle(model) < 0 || go_on(model) < 0)
        return -1;
    return check_all(model);
}
