// SPDX-License-Identifier: BSD-2-Clause
#include "support/fake_engine.h"

#include <assert.h>

static struct fake_part *fake_of(struct part *part)
{
    return (struct fake_part *)(void *)part;
}

static struct part *fake_handle(struct fake_part *part)
{
    return (struct part *)(void *)part;
}

static void fake_on_turn(struct loop_msg *msg);

static void fake_soon(struct fake_part *part)
{
    if (part->turn_posted)
        return;
    part->turn_posted = true;
    loop_post(part->loop, &part->turn, fake_on_turn);
}

static void fake_fail_pending(struct fake_part *part, enum engine_status status)
{
    struct list_link *link;
    while ((link = list_first(&part->appends)) != NULL) {
        struct engine_append *append = list_entry(link, struct engine_append, link);
        list_remove(link);
        append->done(append, status);
    }
}

void fake_part_commit(struct fake_part *part, int64_t high_watermark)
{
    assert(high_watermark <= part->state.log_end);
    if (high_watermark > part->state.high_watermark) {
        part->state.high_watermark = part->state.durable_end = high_watermark;
        part->sink->on_committed(part->ctx, fake_handle(part), high_watermark);
    }
    struct list_link *link;
    while ((link = list_first(&part->appends)) != NULL) {
        struct engine_append *append = list_entry(link, struct engine_append, link);
        if (append->end_offset > high_watermark)
            break;
        list_remove(link);
        append->done(append, ENGINE_OK);
    }
}

void fake_part_acquire(struct fake_part *part)
{
    part->state.owned = true;
    part->state.high_watermark = part->state.durable_end = part->state.log_end;
    part->sink->on_acquired(part->ctx, fake_handle(part), part->state.leader_epoch);
}

static void fake_answer_calls(struct fake_part *part, enum engine_status status)
{
    struct list_link *link;
    while ((link = list_first(&part->calls)) != NULL) {
        struct engine_call *call = list_entry(link, struct engine_call, link);
        list_remove(link);
        call->done(call, status);
    }
}

static void fake_end_replay(struct fake_part *part, enum engine_status status)
{
    struct engine_replay *replay = part->replay;
    part->replay = NULL;
    if (replay == NULL)
        return;
    for (size_t i = 0; status == ENGINE_OK && i < part->batches_count; i++) {
        const struct batch_header *header = &part->batches[i].header;
        size_t size = replay->headers_only && !engine_replay_whole(header) ? BATCH_HEADER_SIZE
                                                                           : batch_size(header);
        if (batch_last_offset(header) < replay->from)
            continue;
        if (replay->visit(
                replay, header, slice_make(part->log.data + part->batches[i].pos, size)) != 0)
            break;
    }
    replay->done(replay, status);
}

void fake_part_lose(struct fake_part *part)
{
    part->state.owned = false;
    part->sink->on_lost(part->ctx, fake_handle(part));
    fake_fail_pending(part, ENGINE_NOT_OWNER);
    fake_answer_calls(part, ENGINE_NOT_OWNER);
    fake_end_replay(part, ENGINE_NOT_OWNER);
}

void fake_part_break(struct fake_part *part, enum engine_status status)
{
    int64_t end = part->state.high_watermark;
    while (
        part->batches_count > 0 && part->batches[part->batches_count - 1].header.base_offset >= end)
        part->batches_count--;
    part->state.log_end = end;
    if (part->snapshot_upto > end)
        part->snapshot_upto = -1;
    fake_fail_pending(part, status);
}

static void fake_on_turn(struct loop_msg *msg)
{
    struct fake_part *part = container_of(msg, struct fake_part, turn);
    part->turn_posted = false;
    if (part->acquire_soon) {
        part->acquire_soon = false;
        fake_part_acquire(part);
    }
    fake_answer_calls(part, ENGINE_OK);
    fake_end_replay(part, ENGINE_OK);
    if (part->engine->auto_commit)
        fake_part_commit(part, part->state.log_end);
}

/* --- the table --- */

static struct part *fake_open(struct engine *engine, struct loop *loop, const struct part_id *id,
    const char *label, bool fresh, const struct part_config *config, const struct engine_sink *sink,
    void *ctx)
{
    (void)id, (void)label, (void)fresh, (void)config;
    struct fake_part *part = xnew(struct fake_part);
    part->engine = container_of(engine, struct fake_engine, engine);
    part->loop = loop;
    part->sink = sink;
    part->ctx = ctx;
    part->snapshot_upto = -1;
    list_init(&part->appends);
    list_init(&part->calls);
    part->engine->part = part;
    part->acquire_soon = part->engine->auto_acquire;
    if (part->acquire_soon)
        fake_soon(part);
    return fake_handle(part);
}

static void fake_close(struct part *handle, struct engine_call *call)
{
    struct fake_part *part = fake_of(handle);
    fake_fail_pending(part, ENGINE_NOT_OWNER);
    fake_answer_calls(part, ENGINE_NOT_OWNER);
    fake_end_replay(part, ENGINE_NOT_OWNER);
    assert(!part->turn_posted);
    buffer_deinit(&part->log);
    buffer_deinit(&part->snapshot);
    free(part);
    if (call != NULL)
        call->done(call, ENGINE_OK);
}

static void fake_configure(struct part *part, const struct part_config *config)
{
    (void)part, (void)config;
}

static void fake_get_state(struct part *part, struct part_state *ret_state)
{
    *ret_state = fake_of(part)->state;
}

static enum engine_status fake_append(struct part *handle, struct engine_append *append)
{
    struct fake_part *part = fake_of(handle);
    if (!part->state.owned)
        return ENGINE_NOT_OWNER;
    if (part->engine->refuse != ENGINE_OK)
        return part->engine->refuse;
    assert(part->batches_count < FAKE_BATCHES_MAX);
    append->base_offset = part->state.log_end;
    batch_patch(append->data, append->base_offset, part->state.leader_epoch);
    struct batch_header header = batch_header_parse(append->data);
    part->batches[part->batches_count].header = header;
    part->batches[part->batches_count++].pos = part->log.size;
    buffer_append(&part->log, append->data, append->size);
    append->end_offset = part->state.log_end = batch_last_offset(&header) + 1;
    list_append(&part->appends, &append->link);
    if (part->engine->auto_commit)
        fake_soon(part);
    return ENGINE_PENDING;
}

static enum engine_status fake_read(struct part *handle, struct engine_read *read)
{
    struct fake_part *part = fake_of(handle);
    read->n_chunks = 0;
    read->size = 0;
    for (size_t i = 0; i < part->batches_count && read->n_chunks < ENGINE_READ_CHUNKS_MAX; i++) {
        const struct batch_header *header = &part->batches[i].header;
        if (batch_last_offset(header) < read->offset)
            continue;
        if (batch_last_offset(header) >= read->bound ||
            (read->size + batch_size(header) > read->size_max &&
                !(read->one_at_least && read->size == 0)))
            break;
        read->chunks[read->n_chunks++] = (struct chunk){
            .data = part->log.data + part->batches[i].pos, .size = (uint32_t)batch_size(header)};
        read->size += batch_size(header);
    }
    if (!part->engine->late_reads)
        return ENGINE_OK;
    part->read = read;
    return ENGINE_PENDING;
}

void fake_part_answer_read(struct fake_part *part)
{
    struct engine_read *read = steal(&part->read);
    read->done(read, ENGINE_OK);
}

static void fake_call(struct part *handle, struct engine_call *call)
{
    struct fake_part *part = fake_of(handle);
    list_append(&part->calls, &call->link);
    fake_soon(part);
}

static void fake_replay(struct part *handle, struct engine_replay *replay)
{
    struct fake_part *part = fake_of(handle);
    part->replay = replay;
    part->replays_count++;
    part->replayed_from = replay->from;
    fake_soon(part);
}

static void fake_snapshot_put(struct part *handle, int64_t upto, struct slice blob)
{
    struct fake_part *part = fake_of(handle);
    part->snapshot.size = 0;
    buffer_append_slice(&part->snapshot, blob);
    part->snapshot_upto = upto;
}

static void fake_snapshot_get(
    struct part *handle, struct buffer *ret_blob, struct engine_call *call)
{
    struct fake_part *part = fake_of(handle);
    call->offset = part->snapshot_upto;
    if (part->snapshot_upto >= 0)
        buffer_append_slice(ret_blob, buffer_slice(&part->snapshot));
    fake_call(handle, call);
}

static void fake_free(struct engine *engine)
{
    container_of(engine, struct fake_engine, engine)->freed = true;
}

static const struct engine_ops fake_ops = {
    .free = fake_free,
    .part_open = fake_open,
    .part_close = fake_close,
    .part_delete = fake_close,
    .part_configure = fake_configure,
    .part_get_state = fake_get_state,
    .part_append = fake_append,
    .part_read = fake_read,
    .part_offset_for_time = fake_call,
    .part_max_timestamp = fake_call,
    .part_epoch_end = fake_call,
    .part_raise_epoch = fake_call,
    .part_set_log_start = fake_call,
    .part_flush = fake_call,
    .part_replay = fake_replay,
    .part_snapshot_put = fake_snapshot_put,
    .part_snapshot_get = fake_snapshot_get,
};

void fake_engine_init(struct fake_engine *engine)
{
    *engine = (struct fake_engine){.engine.ops = &fake_ops, .auto_acquire = true};
}
