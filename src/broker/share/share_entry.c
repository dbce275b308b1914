// SPDX-License-Identifier: BSD-2-Clause
/*
 * One share partition at its coordinator. Questions are served in the order in which they came. All
 * that wait when a write ends are answered by the next one together: each makes of `next` what it
 * asks for and adds its record, and when the batch is on the medium `next` holds and they hear of
 * it. Those that change nothing are answered in their turn, too.
 *
 * What is written is an update with what changed, or, after so many of them, a snapshot.
 */
#include "broker/share/share_coords_shard.h"

#include "base/canary.h"
#include "broker/config/settings.h"
#include "broker/share/share_batches.h"

#include <assert.h>
#include <stdlib.h>

/* --- memory --- */

static void share_memory_clear(struct share_memory *memory)
{
    free(memory->facts.batches);
    *memory = (struct share_memory){.leader_epoch_max = -1, .state_epoch_max = -1};
}

static struct share_state_batch *share_batches_copy(
    const struct share_state_batch *batches, size_t count)
{
    if (count == 0)
        return NULL;
    struct share_state_batch *copy = xnew_n(struct share_state_batch, count);
    memcpy(copy, batches, count * sizeof(*copy));
    return copy;
}

static void share_memory_copy(struct share_memory *to, const struct share_memory *from)
{
    *to = *from;
    to->facts.batches = share_batches_copy(from->facts.batches, from->facts.batches_count);
}

static void share_memory_see(struct share_memory *memory, int32_t leader_epoch, int32_t state_epoch)
{
    if (leader_epoch > memory->leader_epoch_max)
        memory->leader_epoch_max = leader_epoch;
    if (state_epoch > memory->state_epoch_max)
        memory->state_epoch_max = state_epoch;
}

/* What an update says. False: that would be too much. */
static bool share_memory_update(struct share_memory *memory, const struct share_facts *update)
{
    struct share_facts *facts = &memory->facts;
    int64_t start = update->start_offset == -1 ? facts->start_offset : update->start_offset;
    size_t count;
    struct share_state_batch *batches = share_batches_combine(facts->batches, facts->batches_count,
        update->batches, update->batches_count, start, &count);
    if (count > SHARE_STATE_BATCHES_MAX) {
        free(batches);
        return false;
    }
    free(facts->batches);
    facts->batches = batches;
    facts->batches_count = count;
    facts->start_offset = start;
    facts->complete_count = update->complete_count;
    if (update->leader_epoch != -1)
        facts->leader_epoch = update->leader_epoch;
    share_memory_see(memory, update->leader_epoch, -1);
    return true;
}

/* --- life --- */

struct share_entry *share_entry_new(
    struct share_shard *shard, struct slice key, const struct share_key *id)
{
    struct share_entry *entry = xcalloc(1, sizeof(*entry) + key.size + id->group.size);
    uint8_t *bytes = (uint8_t *)(entry + 1);
    memcpy(bytes, key.data, key.size);
    if (id->group.size > 0)
        memcpy(bytes + key.size, id->group.data, id->group.size);
    entry->shard = shard;
    entry->key = slice_make(bytes, key.size);
    entry->id = *id;
    entry->id.group = slice_make(bytes + key.size, id->group.size);
    entry->snapshot_offset = -1;
    list_init(&entry->line);
    list_init(&entry->current);
    share_memory_clear(&entry->now);
    share_memory_clear(&entry->next);
    map_put(&shard->entries, entry->key, entry);
    shard->coords->entries_count++;
    return entry;
}

static void share_entry_free(struct share_entry *entry)
{
    share_memory_clear(&entry->now);
    share_memory_clear(&entry->next);
    free(entry);
}

static void share_entry_leave(struct share_entry *entry)
{
    map_remove(&entry->shard->entries, entry->key);
    entry->shard->coords->entries_count--;
    entry->shard = NULL;
}

static void share_ops_end(struct list_link *ops, enum share_state_error error)
{
    while (!list_empty(ops)) {
        struct share_state_op *op = list_entry(list_first(ops), struct share_state_op, link);
        list_remove(&op->link);
        share_state_end(op, error == SHARE_STATE_OK ? op->error : error);
    }
}

void share_entry_kill(struct share_entry *entry, enum share_state_error error)
{
    share_entry_leave(entry);
    share_ops_end(&entry->line, error);
    if (!entry->busy)
        share_entry_free(entry);
}

/* --- what a question makes of it --- */

static bool share_topic_known(const struct share_entry *entry)
{
    const struct topic *topic =
        image_topic_by_id(broker_image(entry->shard->coords->broker), entry->id.topic_id);
    return topic != NULL && entry->id.partition < topic->partitions_count;
}

static void share_next_snapshot(struct share_entry *entry, struct share_write *write)
{
    struct share_facts *facts = &entry->next.facts;
    entry->snapshot_place = share_write_count(write);
    entry->next.updates = 0;
    share_write_snapshot(write, &entry->id, facts);
}

static enum share_state_error share_next_initialize(
    struct share_entry *entry, const struct share_state_op *op, struct share_write *write)
{
    struct share_memory *next = &entry->next;
    if (op->state_epoch != -1 && next->state_epoch_max > op->state_epoch)
        return SHARE_STATE_E_FENCED_STATE;
    free(next->facts.batches);
    bool somewhere = op->start_offset != SHARE_START_UNKNOWN;
    next->facts =
        (struct share_facts){.snapshot_epoch = next->known ? next->facts.snapshot_epoch + 1 : 0,
            .state_epoch = op->state_epoch,
            .leader_epoch = -1,
            .start_offset = op->start_offset,
            .complete_count = somewhere ? 0 : SHARE_COUNT_UNKNOWN,
            .created_ms = write->now_ms,
            .written_ms = write->now_ms};
    next->known = true;
    share_memory_see(next, -1, op->state_epoch);
    share_next_snapshot(entry, write);
    return SHARE_STATE_OK;
}

/* An update, or the snapshot whose turn it is. */
static enum share_state_error share_next_change(
    struct share_entry *entry, const struct share_facts *update, struct share_write *write)
{
    struct share_memory *next = &entry->next;
    int32_t updates_max = broker_settings(entry->shard->coords->broker)->share.updates_per_snapshot;
    if (!share_memory_update(next, update))
        return SHARE_STATE_E_INVALID;
    if (next->updates < updates_max) {
        next->updates++;
        size_t count;
        struct share_facts merged = *update;
        merged.batches = share_batches_combine(
            NULL, 0, update->batches, update->batches_count, update->start_offset, &count);
        merged.batches_count = count;
        merged.snapshot_epoch = next->facts.snapshot_epoch;
        merged.leader_epoch = next->facts.leader_epoch;
        share_write_update(write, &entry->id, &merged);
        free(merged.batches);
    } else {
        next->facts.snapshot_epoch++;
        next->facts.created_ms = next->facts.written_ms = write->now_ms;
        share_next_snapshot(entry, write);
    }
    return SHARE_STATE_OK;
}

static bool share_batches_valid(const struct share_state_op *op)
{
    if (op->batches_count > SHARE_STATE_BATCHES_MAX)
        return false;
    for (size_t i = 0; i < op->batches_count; i++) {
        const struct share_state_batch *batch = &op->batches[i];
        if (batch->first_offset < 0 || batch->last_offset < batch->first_offset ||
            batch->last_offset == INT64_MAX)
            return false;
    }
    return true;
}

static enum share_state_error share_next_write(
    struct share_entry *entry, const struct share_state_op *op, struct share_write *write)
{
    struct share_memory *next = &entry->next;
    if (!next->known || !share_batches_valid(op))
        return SHARE_STATE_E_INVALID;
    if (op->leader_epoch != -1 && next->leader_epoch_max > op->leader_epoch)
        return SHARE_STATE_E_FENCED_LEADER;
    if (op->state_epoch != -1 && next->state_epoch_max > op->state_epoch)
        return SHARE_STATE_E_FENCED_STATE;
    struct share_facts update = {.leader_epoch = -1,
        .start_offset = op->start_offset,
        .complete_count = op->complete_count,
        .batches = share_batches_copy(op->batches, op->batches_count),
        .batches_count = canary(SHARE_ACK_UNWRITTEN) ? 0 : op->batches_count};
    enum share_state_error error = share_next_change(entry, &update, write);
    free(update.batches);
    return error;
}

static enum share_state_error share_next_read(
    struct share_entry *entry, struct share_state_op *op, struct share_write *write)
{
    struct share_memory *next = &entry->next;
    const struct share_facts *facts = &next->facts;
    if (!next->known)
        return SHARE_STATE_E_INVALID;
    if (op->leader_epoch != -1 && next->leader_epoch_max > op->leader_epoch)
        return SHARE_STATE_E_FENCED_LEADER;
    op->state_epoch = facts->state_epoch;
    op->start_offset = facts->start_offset;
    op->complete_count = facts->complete_count;
    op->owned = share_batches_copy(facts->batches, facts->batches_count);
    op->batches = op->owned;
    op->batches_count = facts->batches_count;
    if (op->leader_epoch == -1 || next->leader_epoch_max == op->leader_epoch)
        return SHARE_STATE_OK;
    struct share_facts update = {.leader_epoch = op->leader_epoch,
        .start_offset = facts->start_offset,
        .complete_count = facts->complete_count};
    return share_next_change(entry, &update, write);
}

static void share_next_summary(const struct share_entry *entry, struct share_state_op *op)
{
    const struct share_memory *next = &entry->next;
    op->start_offset = next->known ? next->facts.start_offset : SHARE_START_UNKNOWN;
    op->complete_count = next->known ? next->facts.complete_count : SHARE_COUNT_UNKNOWN;
    op->leader_epoch = next->known ? next->facts.leader_epoch : 0;
    op->state_epoch = next->known ? next->facts.state_epoch : 0;
}

static void share_next_delete(struct share_entry *entry, struct share_write *write)
{
    if (!entry->next.known)
        return;
    share_memory_clear(&entry->next);
    entry->snapshot_place = -1;
    share_write_tombstone(write, &entry->id);
}

static void share_next_rewrite(struct share_entry *entry, struct share_write *write)
{
    struct share_facts *facts = &entry->next.facts;
    if (!entry->next.known)
        return;
    facts->snapshot_epoch++;
    facts->written_ms = write->now_ms;
    share_next_snapshot(entry, write);
}

static enum share_state_error share_next(
    struct share_entry *entry, struct share_state_op *op, struct share_write *write)
{
    bool known = op->forced || share_topic_known(entry);
    if (entry->id.partition < 0)
        return SHARE_STATE_E_INVALID;
    /* Kafka looks for the topic last. */
    if (!known && (entry->next.known || op->kind == SHARE_STATE_SUMMARY ||
                      op->kind == SHARE_STATE_DELETE || op->kind == SHARE_STATE_INITIALIZE))
        return SHARE_STATE_E_UNKNOWN_TOPIC;
    switch (op->kind) {
    case SHARE_STATE_INITIALIZE: return share_next_initialize(entry, op, write);
    case SHARE_STATE_READ: return share_next_read(entry, op, write);
    case SHARE_STATE_WRITE: return share_next_write(entry, op, write);
    case SHARE_STATE_SUMMARY: share_next_summary(entry, op); break;
    case SHARE_STATE_DELETE: share_next_delete(entry, write); break;
    case SHARE_STATE_REWRITE: share_next_rewrite(entry, write); break;
    }
    return SHARE_STATE_OK;
}

/* --- the line --- */

static void share_entry_on_written(void *ctx, enum partition_error error, int64_t base_offset);

static enum share_state_error share_write_error(enum partition_error error)
{
    return error == PARTITION_NOT_OWNER ? SHARE_STATE_E_NOT_COORDINATOR : SHARE_STATE_E_UNAVAILABLE;
}

/* All that wait, together. */
static struct share_write *share_entry_gather(struct share_entry *entry)
{
    struct share_write *write = share_write_new(share_coords_real_ms(entry->shard->coords));
    share_memory_clear(&entry->next);
    share_memory_copy(&entry->next, &entry->now);
    entry->snapshot_place = -1;
    while (!list_empty(&entry->line)) {
        struct share_state_op *op =
            list_entry(list_first(&entry->line), struct share_state_op, link);
        list_remove(&op->link);
        entry->line_count--;
        op->error = share_next(entry, op, write);
        list_append(&entry->current, &op->link);
    }
    return write;
}

/* The entry may be gone when it returns. */
static void share_entry_go_on(struct share_entry *entry)
{
    if (entry->busy)
        return;
    if (!list_empty(&entry->line)) {
        struct share_write *write = share_entry_gather(entry);
        entry->busy = share_write_count(write) > 0;
        if (!entry->busy) {
            share_write_free(write);
            share_ops_end(&entry->current, SHARE_STATE_OK);
        } else {
            enum partition_error error = share_write_submit(
                write, entry->shard->base.partition, share_entry_on_written, entry);
            entry->busy = error == PARTITION_PENDING;
            if (!entry->busy)
                share_ops_end(&entry->current, share_write_error(error));
        }
    }
    if (!entry->busy && !entry->now.known) {
        share_entry_leave(entry);
        share_entry_free(entry);
    }
}

static void share_entry_on_written(void *ctx, enum partition_error error, int64_t base_offset)
{
    struct share_entry *entry = ctx;
    entry->busy = false;
    if (error == PARTITION_OK) {
        share_memory_clear(&entry->now);
        entry->now = entry->next;
        entry->next = (struct share_memory){.known = false};
        if (entry->snapshot_place >= 0)
            entry->snapshot_offset = base_offset + entry->snapshot_place;
    }
    share_ops_end(
        &entry->current, error == PARTITION_OK ? SHARE_STATE_OK : share_write_error(error));
    if (entry->shard == NULL)
        share_entry_free(entry);
    else
        share_entry_go_on(entry);
}

void share_entry_push(struct share_entry *entry, struct share_state_op *op)
{
    if (entry->line_count >= SHARE_LINE_COUNT_MAX) {
        share_state_end(op, SHARE_STATE_E_UNAVAILABLE);
        return;
    }
    list_append(&entry->line, &op->link);
    entry->line_count++;
    share_entry_go_on(entry);
}

static void share_own_on_done(struct share_state_op *op)
{
    share_state_op_deinit(op);
    free(op);
}

void share_entry_push_own(struct share_entry *entry, enum share_state_kind kind)
{
    struct share_state_op *op = xnew(struct share_state_op);
    op->broker = entry->shard->coords->broker;
    op->kind = kind;
    op->forced = true;
    op->loop = entry->shard->coords->loop;
    op->done = share_own_on_done;
    share_entry_push(entry, op);
}

/* --- replay --- */

bool share_entry_replay(struct share_entry *entry, enum share_log_type type,
    const struct share_facts *facts, int64_t offset)
{
    struct share_memory *now = &entry->now;
    if (type == SHARE_LOG_UPDATE && now->known) {
        now->updates++;
        return share_memory_update(now, facts);
    }
    /* An update without its snapshot: all that there is. */
    if (facts->batches_count > SHARE_STATE_BATCHES_MAX)
        return false;
    free(now->facts.batches);
    now->facts = *facts;
    now->facts.batches = share_batches_copy(facts->batches, facts->batches_count);
    now->known = true;
    now->updates = type == SHARE_LOG_UPDATE ? 1 : 0;
    share_memory_see(now, facts->leader_epoch, facts->state_epoch);
    entry->snapshot_offset = offset;
    return true;
}
