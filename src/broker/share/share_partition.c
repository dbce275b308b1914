// SPDX-License-Identifier: BSD-2-Clause
/*
 *            partition usable, state read
 *   LOADING ------------------------------> READY
 *      |                                      |
 *      +--- lost, fenced, not initialized ----+---> GONE (out of the table; whoever still has
 *                                                         business with it keeps the memory)
 *
 * A fetch reads from the first record that can be acquired and acquires what it got, as batches of
 * the log, whose headers are looked at in the page cache. What an acknowledgement changes is held
 * until the coordinator has written it, then it holds and the start of the window moves.
 *
 * Failure modes: a write fails -> it is as if nothing had been said, and the client is told; the
 * state was initialized anew, deleted, or is led by somebody else -> GONE, and the client is told
 * to look again; a lock ends -> released by the timer, and written without anybody waiting for it.
 */
#include "broker/share/share_partition.h"

#include "base/canary.h"
#include "base/log.h"
#include "broker/config/settings.h"
#include "broker/group/group_overrides.h"
#include "broker/partition/txn_index.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum share_partition_state { SHARE_LOADING, SHARE_READY, SHARE_GONE };

struct share_partition {
    unsigned refs; /* the table's, and one for each thing on its way */
    enum share_partition_state state;
    struct share_parts *parts;
    struct partition *partition; /* not GONE */
    struct part_id id;
    struct slice key; /* of the table; it begins with the group */
    struct slice group;
    struct share_window window;
    int32_t state_epoch, leader_epoch;
    struct timer timer;       /* the next lock that ends */
    struct list_link waiters; /* struct share_waiter */
    struct list_link loading; /* struct share_fetch */
    size_t loading_count;
    /* LOADING */
    struct partition_ready ready;
    struct share_state_op load;
    struct engine_call lookup; /* of the time to start at */
};

struct share_parts {
    struct broker *broker;
    struct loop *loop;
    struct map by_key;
    bool stopped;
};

/* --- memory --- */

static void share_partition_unref(struct share_partition *my)
{
    assert(my->refs > 0);
    if (--my->refs > 0)
        return;
    assert(my->state == SHARE_GONE && list_empty(&my->loading));
    share_window_deinit(&my->window);
    free(my);
}

static void share_partition_wake(struct share_partition *my)
{
    struct list_link waiters;
    list_init(&waiters);
    list_splice(&waiters, &my->waiters);
    while (!list_empty(&waiters)) {
        struct share_waiter *waiter = list_entry(list_first(&waiters), struct share_waiter, link);
        share_partition_unwait(waiter);
        waiter->fn(waiter);
    }
}

static void share_fetch_end(struct share_fetch *fetch, enum share_error error)
{
    fetch->error = error;
    fetch->done(fetch);
}

static void share_partition_fail_loading(struct share_partition *my, enum share_error error)
{
    while (!list_empty(&my->loading)) {
        struct share_fetch *fetch = list_entry(list_first(&my->loading), struct share_fetch, link);
        list_remove(&fetch->link);
        my->loading_count--;
        share_fetch_end(fetch, error);
    }
}

/* Out of the table; who waits looks again. */
static void share_partition_go(struct share_partition *my, enum share_error error)
{
    if (my->state == SHARE_GONE)
        return;
    my->state = SHARE_GONE;
    map_remove(&my->parts->by_key, my->key);
    timer_stop(&my->timer);
    my->partition = NULL;
    share_partition_fail_loading(my, error);
    share_partition_wake(my);
    share_partition_unref(my);
}

/* --- configuration --- */

static struct share_limits share_partition_limits(const struct share_partition *my)
{
    struct broker *broker = my->parts->broker;
    const struct group_settings *settings = &broker_settings(broker)->group;
    const struct group_overrides *config =
        group_configs_find(broker_image(broker)->group_configs, my->group);
    return (struct share_limits){
        .now_ms = loop_now_ms(my->parts->loop),
        .lock_ms = group_overrides_effective(config, settings, GROUP_KEY_SHARE_LOCK_MS),
        .count_max =
            (int16_t)group_overrides_effective(config, settings, GROUP_KEY_SHARE_DELIVERIES_MAX),
        .records_max = group_overrides_effective(config, settings, GROUP_KEY_SHARE_LOCKS_MAX),
        .renew = group_overrides_effective(config, settings, GROUP_KEY_SHARE_RENEW) != 0,
    };
}

static bool share_partition_committed(const struct share_partition *my)
{
    struct broker *broker = my->parts->broker;
    const struct group_overrides *config =
        group_configs_find(broker_image(broker)->group_configs, my->group);
    return group_overrides_effective(
               config, &broker_settings(broker)->group, GROUP_KEY_SHARE_COMMITTED) != 0;
}

/* --- who waits --- */

static int64_t share_readable_end(const struct share_partition *my)
{
    struct part_state state;
    if (share_partition_committed(my))
        return partition_last_stable_offset(my->partition);
    partition_get_state(my->partition, &state);
    return state.high_watermark;
}

static void share_waiter_on_log(struct partition_waiter *log)
{
    struct share_waiter *waiter = container_of(log, struct share_waiter, log);
    share_partition_unwait(waiter);
    waiter->fn(waiter);
}

void share_partition_unwait(struct share_waiter *waiter)
{
    if (list_linked(&waiter->link))
        list_remove(&waiter->link);
    partition_unwait(&waiter->log);
}

void share_partition_wait(struct share_partition *my, struct share_waiter *waiter)
{
    if (my->state == SHARE_GONE) {
        waiter->fn(waiter);
        return;
    }
    if (my->state == SHARE_READY) {
        struct share_limits limits = share_partition_limits(my);
        int64_t end = share_readable_end(my), next = share_window_next(&my->window);
        bool room = share_window_has_room(&my->window, &limits);
        if (room && next < end && end > waiter->seen) {
            waiter->fn(waiter);
            return;
        }
        waiter->log = (struct partition_waiter){
            .offset = waiter->seen > next ? waiter->seen : next,
            .read_committed = share_partition_committed(my),
            .fn = share_waiter_on_log,
        };
        if (room)
            partition_wait(my->partition, &waiter->log);
    }
    list_append(&my->waiters, &waiter->link);
}

/* --- writing --- */

struct share_persist {
    struct share_state_op op;
    struct share_partition *partition;
    struct buffer changes;                 /* struct share_state_batch */
    uint32_t write;                        /* 0: what it says holds already */
    struct share_acknowledge *acknowledge; /* who waits for it; NULL: nobody */
};

static void share_partition_on_timer(struct timer *timer);

/* After any change: the next lock, and those who wait. */
static void share_partition_changed(struct share_partition *my)
{
    if (my->state != SHARE_READY)
        return;
    int64_t deadline_ms = share_window_deadline(&my->window);
    int64_t now_ms = loop_now_ms(my->parts->loop);
    timer_stop(&my->timer);
    if (deadline_ms != INT64_MAX)
        timer_start(&my->timer, my->parts->loop, deadline_ms > now_ms ? deadline_ms - now_ms : 0,
            share_partition_on_timer);
    struct list_link waiters;
    list_init(&waiters);
    list_splice(&waiters, &my->waiters);
    while (!list_empty(&waiters)) { /* each is called, or waits for what counts now */
        struct share_waiter *waiter = list_entry(list_first(&waiters), struct share_waiter, link);
        share_partition_unwait(waiter);
        share_partition_wait(my, waiter);
    }
}

static enum share_error share_error_of(enum share_state_error error)
{
    switch (error) {
    case SHARE_STATE_OK: return SHARE_OK;
    case SHARE_STATE_E_INVALID: return SHARE_E_STORED;
    case SHARE_STATE_E_FENCED_LEADER:
    case SHARE_STATE_E_FENCED_STATE: return SHARE_E_NOT_LEADER;
    case SHARE_STATE_E_UNKNOWN_TOPIC: return SHARE_E_UNKNOWN;
    case SHARE_STATE_E_NOT_COORDINATOR:
    case SHARE_STATE_E_UNAVAILABLE:
    case SHARE_STATE_E_LOADING: break;
    }
    return SHARE_E_UNAVAILABLE;
}

static void share_acknowledge_end(struct share_acknowledge *acknowledge, enum share_error error)
{
    if (acknowledge == NULL)
        return;
    acknowledge->error = error;
    acknowledge->done(acknowledge);
}

static void share_persist_on_done(struct share_state_op *op)
{
    struct share_persist *persist = container_of(op, struct share_persist, op);
    struct share_partition *my = persist->partition;
    enum share_error error = share_error_of(op->error);
    if (my->state == SHARE_READY) {
        struct share_limits limits = share_partition_limits(my);
        share_window_settle(&my->window, &limits, persist->write, error == SHARE_OK);
        if (error != SHARE_OK && error != SHARE_E_UNAVAILABLE)
            share_partition_go(my, error);
        share_partition_changed(my);
    }
    share_acknowledge_end(persist->acknowledge, error);
    share_state_op_deinit(op);
    buffer_deinit(&persist->changes);
    share_partition_unref(my);
    free(persist);
}

static void share_partition_persist(struct share_partition *my, struct buffer *take_changes,
    uint32_t write, struct share_acknowledge *acknowledge)
{
    struct share_persist *persist = xnew(struct share_persist);
    persist->partition = my;
    my->refs++;
    persist->changes = *take_changes;
    *take_changes = BUFFER_NULL;
    persist->write = write;
    persist->acknowledge = acknowledge;
    persist->op = (struct share_state_op){.broker = my->parts->broker,
        .kind = SHARE_STATE_WRITE,
        .group = my->group,
        .topic_id = my->id.topic_id,
        .partition = my->id.partition,
        .state_epoch = my->state_epoch,
        .leader_epoch = my->leader_epoch,
        .start_offset = my->window.start,
        .complete_count = share_window_complete_count(&my->window),
        .batches = (const struct share_state_batch *)persist->changes.data,
        .batches_count = persist->changes.size / sizeof(struct share_state_batch),
        .done = share_persist_on_done};
    share_state_submit(&persist->op);
}

static void share_partition_on_timer(struct timer *timer)
{
    struct share_partition *my = container_of(timer, struct share_partition, timer);
    struct share_limits limits = share_partition_limits(my);
    struct buffer changes = BUFFER_NULL;
    share_window_expire(&my->window, &limits, &changes);
    if (changes.size > 0)
        share_partition_persist(my, &changes, 0, NULL);
    my->refs++;
    share_partition_changed(my);
    share_partition_unref(my);
}

/* --- acknowledging --- */

void share_partition_acknowledge(struct share_partition *my, struct share_acknowledge *acknowledge)
{
    if (my->state != SHARE_READY) {
        share_acknowledge_end(acknowledge, SHARE_E_STATE);
        return;
    }
    struct share_limits limits = share_partition_limits(my);
    struct buffer changes = BUFFER_NULL;
    uint32_t write = 0;
    enum share_ack_error error = share_window_acknowledge(&my->window, &limits, acknowledge->member,
        acknowledge->acks, acknowledge->acks_count, &changes, &write);
    if (error != SHARE_ACK_OK)
        share_acknowledge_end(
            acknowledge, error == SHARE_ACK_E_PAST ? SHARE_E_INVALID : SHARE_E_STATE);
    else if (write == 0)
        share_acknowledge_end(acknowledge, SHARE_OK);
    else
        share_partition_persist(my, &changes, write, acknowledge);
    if (error == SHARE_ACK_OK)
        share_partition_changed(my);
}

void share_partition_release(struct share_partition *my, struct slice member)
{
    if (my->state != SHARE_READY)
        return;
    struct share_limits limits = share_partition_limits(my);
    struct buffer changes = BUFFER_NULL;
    uint32_t write;
    share_window_release(&my->window, &limits, member, &changes, &write);
    if (write != 0)
        share_partition_persist(my, &changes, write, NULL);
}

/* --- fetching --- */

/* A batch that was read, and where it lies. */
struct share_batch_place {
    unsigned chunk;
    uint32_t pos, size; /* bytes, within the chunk */
};

struct share_walk {
    struct share_partition *my;
    struct share_fetch *fetch;
    struct share_span *spans;
    struct share_batch_place *places;
    size_t count;
    int64_t enough; /* the offset behind which nobody needs to look */
    uint8_t block[4096];
    uint64_t block_pos; /* in the file */
    size_t block_size;
};

/* The header at a position of a chunk. False: it cannot be read. */
static bool share_walk_header(struct share_walk *walk, const struct chunk *chunk, uint32_t pos,
    struct batch_header *ret_header)
{
    if (chunk->data != NULL) {
        *ret_header = batch_header_parse(chunk->data + pos);
        return true;
    }
    uint64_t at = chunk->pos + pos;
    if (at < walk->block_pos || at + BATCH_HEADER_SIZE > walk->block_pos + walk->block_size) {
        struct env *env = broker_env(walk->my->parts->broker);
        size_t size =
            chunk->size - pos < sizeof(walk->block) ? chunk->size - pos : sizeof(walk->block);
        ssize_t n = env->ops->file_pread(env, chunk->fd, walk->block, size, at);
        if (n < BATCH_HEADER_SIZE)
            return false;
        walk->block_pos = at;
        walk->block_size = (size_t)n;
    }
    *ret_header = batch_header_parse(walk->block + (at - walk->block_pos));
    return true;
}

static bool share_walk_aborted(const struct share_walk *walk, const struct batch_header *header)
{
    const struct partition_read *read = &walk->fetch->read;
    if ((header->attributes & BATCH_TRANSACTIONAL) == 0 ||
        (header->attributes & BATCH_CONTROL) != 0)
        return false;
    for (size_t i = 0; i < read->aborted_count; i++) {
        const struct txn_span *span = &read->aborted[i];
        if (span->producer_id == header->producer_id && span->first_offset <= header->base_offset &&
            span->last_offset >= header->base_offset)
            return true;
    }
    return false;
}

static bool share_walk_chunk(struct share_walk *walk, unsigned index)
{
    const struct chunk *chunk = &walk->fetch->read.engine.chunks[index];
    struct batch_header header;
    walk->block_size = 0;
    for (uint32_t pos = 0; chunk->size - pos >= BATCH_HEADER_SIZE;) {
        if (walk->count == SHARE_SPANS_COUNT_MAX || !share_walk_header(walk, chunk, pos, &header) ||
            !batch_header_sane(&header) || batch_size(&header) > chunk->size - pos)
            return false;
        uint32_t size = (uint32_t)batch_size(&header);
        walk->spans[walk->count] = (struct share_span){
            header.base_offset, batch_last_offset(&header), share_walk_aborted(walk, &header)};
        walk->places[walk->count++] = (struct share_batch_place){index, pos, size};
        if (batch_last_offset(&header) >= walk->enough)
            return false;
        pos += size;
    }
    return true;
}

/* Leaves of the chunks what has something that was acquired. */
static void share_fetch_trim(struct share_fetch *fetch, const struct share_walk *walk)
{
    const struct share_acquired *acquired = (const struct share_acquired *)fetch->acquired.data;
    size_t count = fetch->acquired.size / sizeof(*acquired), first = 0, last = walk->count - 1;
    struct engine_read *engine = &fetch->read.engine;
    while (first < last && walk->spans[first].last < acquired[0].first)
        first++;
    while (last > first && walk->spans[last].first > acquired[count - 1].last)
        last--;
    const struct share_batch_place *from = &walk->places[first], *to = &walk->places[last];
    for (unsigned i = from->chunk; i <= to->chunk; i++) {
        struct chunk chunk = engine->chunks[i];
        uint32_t begin = i == from->chunk ? from->pos : 0;
        uint32_t end = i == to->chunk ? to->pos + to->size : chunk.size;
        if (chunk.data != NULL)
            chunk.data += begin;
        chunk.pos += begin;
        chunk.size = end - begin;
        fetch->chunks[fetch->chunks_count++] = chunk;
        fetch->size += chunk.size;
        engine->chunks[i].owner = NULL; /* handed on */
    }
}

static void share_fetch_acquire(struct share_partition *my, struct share_fetch *fetch)
{
    struct share_walk walk = {.my = my,
        .fetch = fetch,
        .spans = xnew_n(struct share_span, SHARE_SPANS_COUNT_MAX),
        .places = xnew_n(struct share_batch_place, SHARE_SPANS_COUNT_MAX)};
    int64_t from = fetch->read.offset > my->window.end ? fetch->read.offset : my->window.end;
    walk.enough = from + fetch->records_max - 1;
    for (unsigned i = 0; i < fetch->read.engine.n_chunks; i++) {
        if (!share_walk_chunk(&walk, i))
            break;
    }
    struct share_limits limits = share_partition_limits(my);
    struct share_acquire acquire = {.member = fetch->member,
        .from = fetch->read.offset,
        .spans = walk.spans,
        .spans_count = walk.count,
        .records_max = fetch->records_max,
        .exact = fetch->exact,
        .batch_size = fetch->batch_size,
        .ret_acquired = &fetch->acquired};
    share_window_acquire(&my->window, &limits, &acquire);
    fetch->count = acquire.count;
    if (fetch->acquired.size > 0)
        share_fetch_trim(fetch, &walk);
    free(walk.spans);
    free(walk.places);
}

static void share_fetch_release(struct share_fetch *fetch)
{
    free(steal(&fetch->read.aborted));
    fetch->read.aborted_count = 0;
    for (unsigned i = 0; i < fetch->read.engine.n_chunks; i++) {
        if (fetch->read.engine.chunks[i].owner != NULL)
            chunk_release(&fetch->read.engine.chunks[i]);
    }
    fetch->read.engine.n_chunks = 0;
}

static void share_fetch_read(struct share_partition *my, struct share_fetch *fetch);

static void share_fetch_on_read(
    struct share_partition *my, struct share_fetch *fetch, enum partition_error error)
{
    bool ready = my->state == SHARE_READY;
    if (ready && error == PARTITION_OK && !fetch->look && fetch->read.engine.n_chunks > 0)
        share_fetch_acquire(my, fetch);
    if (fetch->look)
        fetch->size = fetch->read.engine.size;
    share_fetch_release(fetch);
    if (ready && error == PARTITION_OFFSET_OUT_OF_RANGE && !fetch->again) {
        fetch->again = true; /* the log starts later by now */
        share_fetch_read(my, fetch);
        return;
    }
    my->refs++;
    if (fetch->count > 0)
        share_partition_changed(my);
    fetch->partition_error = error;
    if (!ready)
        share_fetch_end(fetch, SHARE_E_NOT_LEADER);
    else /* out of range: the log has lost its end, and will grow again */
        share_fetch_end(fetch, error == PARTITION_OK || error == PARTITION_OFFSET_OUT_OF_RANGE
                                   ? SHARE_OK
                                   : SHARE_E_READ);
    share_partition_unref(my);
}

static void share_fetch_on_later(struct partition_read *read, enum partition_error error)
{
    struct share_fetch *fetch = container_of(read, struct share_fetch, read);
    struct share_partition *my = fetch->partition;
    share_fetch_on_read(my, fetch, error);
    share_partition_unref(my);
}

static void share_fetch_read(struct share_partition *my, struct share_fetch *fetch)
{
    struct part_state state;
    partition_get_state(my->partition, &state);
    share_window_move_start(&my->window, state.log_start);
    struct share_limits limits = share_partition_limits(my);
    fetch->seen = share_readable_end(my);
    if (fetch->records_max <= 0 || !share_window_has_room(&my->window, &limits)) {
        share_fetch_end(fetch, SHARE_OK);
        return;
    }
    fetch->read = (struct partition_read){.offset = share_window_next(&my->window),
        .leader_epoch = -1,
        .size_max = fetch->size_max,
        .one_at_least = true,
        .read_committed = share_partition_committed(my),
        .done = share_fetch_on_later};
    fetch->partition = my;
    my->refs++;
    enum partition_error error = partition_read(my->partition, &fetch->read);
    if (error == PARTITION_PENDING)
        return;
    share_fetch_on_read(my, fetch, error);
    share_partition_unref(my);
}

void share_partition_fetch(struct share_partition *my, struct share_fetch *fetch)
{
    fetch->chunks_count = 0;
    fetch->size = 0;
    fetch->acquired = BUFFER_NULL;
    fetch->count = 0;
    fetch->seen = -1;
    fetch->again = false;
    fetch->read = (struct partition_read){.offset = -1};
    if (my->state == SHARE_READY) {
        share_fetch_read(my, fetch);
    } else if (my->state == SHARE_GONE || my->loading_count >= SHARE_LOADING_COUNT_MAX) {
        share_fetch_end(fetch, SHARE_E_UNAVAILABLE);
    } else {
        list_append(&my->loading, &fetch->link);
        my->loading_count++;
    }
}

/* --- loading --- */

static void share_partition_start(struct share_partition *my, int64_t start)
{
    struct part_state state;
    partition_get_state(my->partition, &state);
    /* More than there is: the log has lost its end. */
    share_window_init(&my->window, start < state.log_end ? start : state.log_end);
    for (size_t i = 0; canary(SHARE_COUNT_FORGOTTEN) && i < my->load.batches_count; i++)
        my->load.owned[i].delivery_count = 0;
    bool fine =
        share_window_load(&my->window, my->load.batches, my->load.batches_count, state.log_end);
    if (!fine) {
        log_error("share.state",
            "group=%s topic=%s partition=%" PRId32
            " text=\"what is stored of this share group makes no sense\"",
            log_quote(my->group).str, partition_topic(my->partition)->name, my->id.partition);
        share_partition_go(my, SHARE_E_STORED);
        return;
    }
    share_window_move_start(&my->window, state.log_start);
    my->state = SHARE_READY;
    struct list_link loading;
    list_init(&loading);
    list_splice(&loading, &my->loading);
    my->loading_count = 0;
    my->refs++;
    while (!list_empty(&loading)) {
        struct share_fetch *fetch = list_entry(list_first(&loading), struct share_fetch, link);
        list_remove(&fetch->link);
        share_partition_fetch(my, fetch);
    }
    share_partition_changed(my);
    share_partition_unref(my);
}

static void share_partition_on_looked_up(struct engine_call *call, enum engine_status status)
{
    struct share_partition *my = container_of(call, struct share_partition, lookup);
    struct part_state state;
    if (my->state == SHARE_LOADING && status != ENGINE_OK) {
        share_partition_go(my, SHARE_E_UNAVAILABLE);
    } else if (my->state == SHARE_LOADING) {
        partition_get_state(my->partition, &state);
        share_partition_start(my, call->offset >= 0 ? call->offset : state.high_watermark);
    }
    share_state_op_deinit(&my->load);
    share_partition_unref(my);
}

/* The group comes to this partition for the first time. */
static void share_partition_reset(struct share_partition *my)
{
    struct broker *broker = my->parts->broker;
    struct part_state state;
    int64_t duration_ms;
    const struct group_overrides *config =
        group_configs_find(broker_image(broker)->group_configs, my->group);
    enum group_reset reset =
        group_reset_effective(config, &broker_settings(broker)->group, &duration_ms);
    partition_get_state(my->partition, &state);
    switch (reset) {
    case GROUP_RESET_EARLIEST: share_partition_start(my, state.log_start); return;
    case GROUP_RESET_LATEST: share_partition_start(my, state.high_watermark); return;
    case GROUP_RESET_BY_DURATION: break;
    }
    my->refs++;
    my->lookup = (struct engine_call){.done = share_partition_on_looked_up,
        .timestamp = env_real_ms(broker_env(broker)) - duration_ms};
    partition_engine(my->partition)
        ->ops->part_offset_for_time(partition_part(my->partition), &my->lookup);
}

static void share_partition_on_read(struct share_state_op *op)
{
    struct share_partition *my = container_of(op, struct share_partition, load);
    bool looking_up = false;
    my->state_epoch = op->state_epoch;
    if (my->state == SHARE_LOADING && op->error != SHARE_STATE_OK) {
        share_partition_go(my, share_error_of(op->error));
    } else if (my->state == SHARE_LOADING && op->start_offset == SHARE_START_UNKNOWN) {
        share_partition_reset(my);
        looking_up = my->state == SHARE_LOADING;
    } else if (my->state == SHARE_LOADING) {
        share_partition_start(my, op->start_offset);
    }
    if (!looking_up)
        share_state_op_deinit(op);
    share_partition_unref(my);
}

static void share_partition_load(struct share_partition *my)
{
    struct part_state state;
    partition_get_state(my->partition, &state);
    my->leader_epoch = state.leader_epoch;
    my->load = (struct share_state_op){.broker = my->parts->broker,
        .kind = SHARE_STATE_READ,
        .group = my->group,
        .topic_id = my->id.topic_id,
        .partition = my->id.partition,
        .leader_epoch = my->leader_epoch,
        .done = share_partition_on_read};
    my->refs++;
    share_state_submit(&my->load);
}

static void share_partition_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct share_partition *my = container_of(ready, struct share_partition, ready);
    if (my->state == SHARE_LOADING && error != PARTITION_OK)
        share_partition_go(my, SHARE_E_NOT_LEADER);
    else if (my->state == SHARE_LOADING)
        share_partition_load(my);
    share_partition_unref(my);
}

/* --- the table --- */

struct share_parts *share_parts_new(struct broker *broker, struct loop *loop)
{
    struct share_parts *parts = xnew(struct share_parts);
    parts->broker = broker;
    parts->loop = loop;
    return parts;
}

size_t share_parts_count(const struct share_parts *parts)
{
    return parts->by_key.count;
}

/* Those for which `match` says so go. */
static void share_parts_remove(struct share_parts *parts,
    bool (*match)(const struct share_partition *my, const void *what), const void *what)
{
    bool found = true;
    while (found) { /* a table does not like to be changed while one looks */
        struct share_partition *going[64];
        size_t count = 0;
        map_for_each (&parts->by_key, entry) {
            if (count < ARRAY_COUNT(going) && match(entry->value, what))
                going[count++] = entry->value;
        }
        for (size_t i = 0; i < count; i++)
            share_partition_go(going[i], SHARE_E_NOT_LEADER);
        found = count > 0;
    }
}

static bool share_partition_is(const struct share_partition *my, const void *what)
{
    const struct part_id *id = what;
    return my->id.partition == id->partition && uuid_equal(my->id.topic_id, id->topic_id);
}

static bool share_partition_of_group(const struct share_partition *my, const void *what)
{
    return slice_equal(my->group, *(const struct slice *)what);
}

static bool share_partition_any(const struct share_partition *my, const void *what)
{
    (void)my, (void)what;
    return true;
}

void share_parts_drop(struct share_parts *parts, const struct part_id *id)
{
    loop_assert_owner(parts->loop);
    share_parts_remove(parts, share_partition_is, id);
}

void share_parts_forget_group(struct share_parts *parts, struct slice group)
{
    loop_assert_owner(parts->loop);
    share_parts_remove(parts, share_partition_of_group, &group);
}

void share_parts_stop(struct share_parts *parts)
{
    parts->stopped = true;
    share_parts_remove(parts, share_partition_any, NULL);
}

void share_parts_free(struct share_parts *parts)
{
    if (parts == NULL)
        return;
    assert(parts->by_key.count == 0);
    map_deinit(&parts->by_key);
    free(parts);
}

static struct share_partition *share_partition_new(struct share_parts *parts, struct slice key,
    struct slice group, const struct part_id *id, struct partition *partition)
{
    struct share_partition *my = xcalloc(1, sizeof(*my) + key.size);
    memcpy(my + 1, key.data, key.size);
    my->refs = 1;
    my->state = SHARE_LOADING;
    my->parts = parts;
    my->partition = partition;
    my->id = *id;
    my->key = slice_make((const uint8_t *)(my + 1), key.size);
    my->group = slice_make(my->key.data, group.size);
    my->timer = TIMER_NULL;
    share_window_init(&my->window, 0);
    list_init(&my->waiters);
    list_init(&my->loading);
    return my;
}

struct share_partition *share_parts_get(
    struct share_parts *parts, struct slice group, const struct part_id *id, bool create)
{
    loop_assert_owner(parts->loop);
    struct buffer key = BUFFER_NULL;
    buffer_append_slice(&key, group);
    buffer_append(&key, id->topic_id.bytes, UUID_SIZE);
    buffer_append(&key, &id->partition, sizeof(id->partition));
    struct share_partition *my = map_get(&parts->by_key, buffer_slice(&key));
    struct partition *partition =
        my == NULL && create && !parts->stopped && parts->by_key.count < SHARE_PARTS_COUNT_MAX
            ? broker_partition(parts->broker, id)
            : NULL;
    if (partition != NULL) {
        my = share_partition_new(parts, buffer_slice(&key), group, id, partition);
        map_put(&parts->by_key, my->key, my);
        my->ready.fn = share_partition_on_ready;
        my->refs += 2; /* one of them for this look */
        enum partition_error error = partition_when_ready(partition, &my->ready);
        if (error != PARTITION_PENDING)
            share_partition_on_ready(&my->ready, error);
        bool gone = my->state == SHARE_GONE;
        share_partition_unref(my);
        my = gone ? NULL : my;
    }
    buffer_deinit(&key);
    return my;
}
