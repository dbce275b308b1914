// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_store.h"

#include "base/bytes.h"
#include "base/log.h"
#include "store/batch/batch_builder.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define STORE_KEYS        6
#define STORE_WAITING_MAX 48

static const struct part_config store_config = {
    .segment_size_max = 1500,
    .segment_ms_max = 7 * 24 * 3600000L,
    .retention_ms = -1,
    .retention_size = -1,
    .index_interval_size = 300,
    .index_size_max = 1 << 20,
    .flush_messages = INT64_MAX,
    .flush_ms = INT64_MAX,
    .delete_retention_ms = 86400000,
    .max_compaction_lag_ms = INT64_MAX,
};

/* --- the model --- */

void store_model_init(struct store_model *model)
{
    *model = (struct store_model){.next_id = 1, .sync_failed_at = SIZE_MAX};
    model->batches = xnew_n(struct store_batch, STORE_BATCHES);
    model->order = xnew_n(size_t, STORE_BATCHES);
}

void store_model_deinit(struct store_model *model)
{
    free(model->batches);
    free(model->order);
    free(model->starts);
    free(model->metas);
    *model = (struct store_model){0};
}

static const struct store_model *ordering;

static int order_compare(const void *a, const void *b)
{
    const struct store_batch *left = &ordering->batches[*(const size_t *)a];
    const struct store_batch *right = &ordering->batches[*(const size_t *)b];
    return (left->crc > right->crc) - (left->crc < right->crc);
}

void store_model_index(struct store_model *model)
{
    for (size_t i = 0; i < model->n_batches; i++)
        model->order[i] = i;
    model->n_order = model->n_batches;
    ordering = model;
    qsort(model->order, model->n_order, sizeof(*model->order), order_compare);
}

/* The batch with these bytes, or NULL. */
static struct store_batch *model_find(
    const struct store_model *model, unsigned part, const struct batch_header *header)
{
    size_t low = 0, high = model->n_order;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->batches[model->order[middle]].crc < header->crc)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < model->n_order; low++) {
        struct store_batch *batch = &model->batches[model->order[low]];
        if (batch->crc != header->crc)
            break;
        if (batch->part == part && batch->base == header->base_offset &&
            batch->size == batch_size(header) && batch->end == batch_last_offset(header) + 1)
            return batch;
    }
    return NULL;
}

static size_t said_until(size_t said_at, size_t at)
{
    return said_at == STORE_NEVER || said_at > at ? STORE_NEVER : 0;
}

void store_model_crash(struct store_model *model, size_t at)
{
    for (size_t i = 0; i < model->n_batches; i++) {
        struct store_batch *batch = &model->batches[i];
        batch->said_at = said_until(batch->said_at, at);
        batch->durable_at = said_until(batch->durable_at, at);
        if (batch->said_at == STORE_NEVER)
            batch->said = STORE_UNKNOWN;
    }
    size_t kept = 0;
    for (size_t i = 0; i < model->n_starts; i++) {
        struct store_start start = model->starts[i];
        if (start.at > at)
            continue;
        start.at = 0;
        model->starts[kept++] = start;
    }
    model->n_starts = kept;
    for (size_t i = 0; i < model->n_metas; i++)
        model->metas[i].acked_at = said_until(model->metas[i].acked_at, at);
    model->life++;
}

static void model_add_start(struct store_part *part, int64_t offset, bool least, size_t at)
{
    struct store_model *model = part->world->model;
    if (model->n_starts == model->starts_capacity) {
        model->starts_capacity = model->starts_capacity == 0 ? 64 : model->starts_capacity * 2;
        model->starts = xrealloc(model->starts, model->starts_capacity * sizeof(*model->starts));
    }
    model->starts[model->n_starts++] =
        (struct store_start){part->index, part->incarnation, at, offset, least};
}

/* --- the world --- */

static void store_on_acquired(void *ctx, struct part *part, int32_t leader_epoch)
{
    struct store_part *at = ctx;
    (void)part;
    (void)leader_epoch;
    at->acquired = true;
}

static void store_on_lost(void *ctx, struct part *part)
{
    struct store_part *at = ctx;
    struct store_model *model = at->world->model;
    struct part_state state;
    at->acquired = false;
    at->world->engine->ops->part_get_state(part, &state);
    for (size_t i = 0; i < model->n_batches; i++) { /* what was cut off after a failed sync */
        struct store_batch *batch = &model->batches[i];
        if (batch->part == at->index && batch->incarnation == at->incarnation &&
            batch->said == STORE_WRITTEN && batch->end > state.log_end)
            batch->said = STORE_UNKNOWN;
    }
}

static void store_on_committed(void *ctx, struct part *part, int64_t high_watermark)
{
    (void)ctx;
    (void)part;
    (void)high_watermark;
}

static void store_on_log_start(void *ctx, struct part *part, int64_t log_start)
{
    (void)ctx;
    (void)part;
    (void)log_start;
}

static void store_on_failed(void *ctx, struct part *part, int error)
{
    struct store_part *at = ctx;
    (void)part;
    (void)error;
    at->failed = true;
    at->acquired = false;
}

static const struct engine_sink store_sink = {
    .on_acquired = store_on_acquired,
    .on_lost = store_on_lost,
    .on_committed = store_on_committed,
    .on_log_start = store_on_log_start,
    .on_failed = store_on_failed,
};

/* The topic that comes and goes lives where the journal does. */
static struct loop *store_loop(const struct store_part *part)
{
    unsigned index = part->kind == STORE_REBORN ? 0 : part->index % STORE_LOOPS;
    return part->world->loops[index];
}

static struct uuid store_topic_id(unsigned part, unsigned incarnation)
{
    return (struct uuid){{1, (uint8_t)part, (uint8_t)incarnation, (uint8_t)(incarnation >> 8), 9}};
}

static void store_part_open(struct store_part *part, bool fresh)
{
    struct part_config config = store_config;
    struct part_id id = {store_topic_id(part->index, part->incarnation), 0};
    config.cleanup_compact = part->kind == STORE_COMPACTED;
    config.cleanup_delete = !config.cleanup_compact;
    if (part->kind == STORE_TRIMMED)
        config.retention_size = 4000;
    part->acquired = part->failed = false;
    part->part = part->world->engine->ops->part_open(
        part->world->engine, store_loop(part), &id, part->label, fresh, &config, &store_sink, part);
}

static const struct engine_local_config store_engine = {
    .dir = STORE_DIR,
    .files_open_max = 6,
    .space_reserve = 64U << 20,
    .retention_check_ms = 200,
    .cleaner_backoff_ms = 50,
    .cleaner_map_size_max = 1 << 16,
    .index_save_min = 1000,
    .sync_disk_min = 2,
    .sync_all = true,
};

/* What the journal says of the topic that comes and goes. */
static unsigned store_incarnation(struct store_world *world)
{
    struct slice value = meta_get(world->meta, SLICE_LIT("topic/reborn"), NULL);
    return value.size == 4 ? bytes_get_u32(value.data) : 0;
}

static int store_open_engine(struct store_world *world)
{
    struct engine_local_config config = store_engine;
    config.env = &world->disk->env;
    config.offload = world->offload;
    config.loops = world->loops;
    config.n_loops = STORE_LOOPS;
    int r = meta_open(&world->disk->env, STORE_DIR, world->offload, world->loops[0], &world->meta);
    return r < 0 ? r : engine_local_new(&config, &world->engine);
}

static int store_sweep(struct store_world *world, unsigned incarnation)
{
    struct uuid gone[16];
    size_t n_gone = 0;
    unsigned last = incarnation > 0 ? incarnation : (unsigned)world->model->n_metas + 2;
    for (unsigned i = last > 16 ? last - 16 : 1; i < last && n_gone < 16; i++)
        gone[n_gone++] = store_topic_id(STORE_REBORN, i);
    return engine_local_sweep(world->engine, gone, n_gone);
}

int store_world_boot(struct store_world *world, struct sim_disk *disk, struct store_model *model,
    struct sim_random *random)
{
    *world = (struct store_world){.disk = disk, .model = model, .random = random};
    sim_sched_start(disk, random);
    sim_sched_work_ms_max(random == NULL ? 0 : 20);
    if (sim_image_find(&disk->image, STORE_DIR) == NULL) {
        int made = disk->env.ops->dir_make(&disk->env, STORE_DIR);
        made = made < 0 ? made : disk->env.ops->dir_sync(&disk->env, "/");
        if (made < 0)
            return made;
    }
    world->offload = offload_new(1);
    for (unsigned i = 0; i < STORE_LOOPS; i++)
        world->loops[i] = loop_new(&disk->env, i);
    int r = store_open_engine(world);
    if (r < 0) {
        meta_free(world->meta);
        for (unsigned i = 0; i < STORE_LOOPS; i++)
            loop_free(world->loops[i]);
        return r;
    }
    unsigned incarnation = store_incarnation(world);
    r = store_sweep(world, incarnation);
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        struct store_part *part = &world->parts[i];
        *part = (struct store_part){
            .world = world, .index = i, .kind = (enum store_part_kind)i, .incarnation = 1};
        snprintf(part->label, sizeof(part->label), "topic%u-0", i);
        if (part->kind == STORE_REBORN)
            part->incarnation = incarnation;
        if (part->incarnation > 0)
            store_part_open(part, false);
    }
    sim_sched_settle();
    return 0;
}

static void store_note_starts(struct store_world *world)
{
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        struct store_part *part = &world->parts[i];
        struct part_state state;
        if (part->part == NULL || !part->acquired || part->busy)
            continue;
        world->engine->ops->part_get_state(part->part, &state);
        if (state.log_start == part->log_start)
            continue;
        part->log_start = state.log_start;
        model_add_start(part, state.log_start, false, world->noted_at);
    }
    world->noted_at = world->disk->log.count;
}

static void store_world_free(struct store_world *world)
{
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        struct store_part *part = &world->parts[i];
        if (part->part != NULL && !part->busy)
            world->engine->ops->part_close(steal(&part->part), NULL);
    }
    sim_sched_settle();
    world->engine->ops->free(world->engine);
    meta_free(world->meta);
    for (unsigned i = 0; i < STORE_LOOPS; i++)
        loop_free(world->loops[i]);
    assert(world->n_waiting == 0);
}

void store_world_stop(struct store_world *world)
{
    world->ending = true;
    while (!sim_sched_idle()) {
        store_note_starts(world);
        if (!sim_sched_step())
            sim_sched_advance(1);
    }
    store_note_starts(world);
    store_world_free(world);
}

void store_world_kill(struct store_world *world)
{
    world->ending = true;
    world->disk->dead = true;
    sim_sched_settle();
    store_world_free(world);
    world->disk->dead = false;
}

/* --- appends --- */

struct store_append {
    struct engine_append append;
    struct store_world *world;
    size_t batch; /* in the model */
};

static void store_said(struct store_world *world, size_t batch, enum store_said said)
{
    struct store_batch *at = &world->model->batches[batch];
    if (world->disk->dead) /* nobody hears it */
        return;
    at->said = said;
    at->said_at = world->disk->log.count;
    if (said == STORE_DURABLE) {
        at->durable_at = at->said_at;
        sim_count(SIM_COUNT_ACKS, 1);
    }
}

static void store_on_append(struct engine_append *append, enum engine_status status)
{
    struct store_append *it = container_of(append, struct store_append, append);
    bool durable = (append->flags & ENGINE_APPEND_DURABLE) != 0;
    enum store_said said = status == ENGINE_STORAGE ? STORE_REFUSED : STORE_UNKNOWN;
    if (status == ENGINE_OK)
        said = durable ? STORE_DURABLE : STORE_WRITTEN;
    store_said(it->world, it->batch, said);
    it->world->n_waiting--;
    free(append->data);
    free(it);
}

/* A batch of 1 or 2 records (compacted: 1); its id is in the value. */
static uint8_t *store_batch_make(
    struct store_world *world, const struct store_part *part, unsigned key, size_t *ret_size)
{
    static const uint8_t filler[2048];
    struct batch_builder builder;
    uint8_t value[2048 + 8], name[4];
    uint64_t id = world->model->next_id++;
    unsigned n = part->kind == STORE_COMPACTED ? 1 : 1 + (unsigned)(id % 2);
    size_t size = 8 + (id * 37) % (id % 16 == 0 ? 1400 : 180);
    batch_builder_init(&builder);
    for (unsigned i = 0; i < n; i++) {
        bytes_put_u32(name, key);
        bytes_put_u64(value, id);
        memcpy(value + 8, filler, size - 8);
        value[size - 1] = (uint8_t)(id + i);
        struct batch_record record = {.timestamp_ms = env_real_ms(&world->disk->env),
            .key = slice_make(name, sizeof(name)),
            .value = slice_make(value, size)};
        batch_builder_append(&builder, &record);
    }
    uint8_t *data = batch_builder_finish(&builder, ret_size);
    uint8_t *copy = xmalloc(*ret_size);
    memcpy(copy, data, *ret_size);
    batch_builder_deinit(&builder);
    return copy;
}

static enum engine_status store_append(struct store_part *part, bool durable, unsigned key)
{
    struct store_world *world = part->world;
    struct store_model *model = world->model;
    if (model->n_batches == STORE_BATCHES)
        return ENGINE_BUSY;
    struct store_append *it = xnew(struct store_append);
    it->world = world;
    it->append.data = store_batch_make(world, part, key, &it->append.size);
    it->append.flags = durable ? ENGINE_APPEND_DURABLE : 0;
    it->append.done = store_on_append;
    enum engine_status status = world->engine->ops->part_append(part->part, &it->append);
    if (status != ENGINE_PENDING) {
        free(it->append.data);
        free(it);
        return status;
    }
    struct batch_header header = batch_header_parse(it->append.data);
    it->batch = model->n_batches++;
    model->batches[it->batch] = (struct store_batch){.part = part->index,
        .incarnation = part->incarnation,
        .base = it->append.base_offset,
        .end = it->append.end_offset,
        .crc = header.crc,
        .size = it->append.size,
        .key = key,
        .life = model->life,
        .said_at = STORE_NEVER,
        .durable_at = STORE_NEVER};
    world->n_waiting++;
    return status;
}

/* --- other calls --- */

struct store_call {
    struct engine_call call;
    struct store_part *part;
    int64_t upto; /* flush: the log end when it was asked for */
};

static struct store_call *store_call_new(
    struct store_part *part, void (*done)(struct engine_call *call, enum engine_status status))
{
    struct store_call *it = xnew(struct store_call);
    it->part = part;
    it->call.done = done;
    part->world->n_waiting++;
    return it;
}

static void store_call_end(struct store_call *it)
{
    it->part->world->n_waiting--;
    free(it);
}

static void store_on_flush(struct engine_call *call, enum engine_status status)
{
    struct store_call *it = container_of(call, struct store_call, call);
    struct store_world *world = it->part->world;
    struct store_model *model = world->model;
    for (size_t i = 0; status == ENGINE_OK && !world->disk->dead && i < model->n_batches; i++) {
        struct store_batch *batch = &model->batches[i];
        if (batch->part == it->part->index && batch->incarnation == it->part->incarnation &&
            batch->end <= it->upto && batch->durable_at == STORE_NEVER &&
            batch->life == model->life &&
            (batch->said == STORE_WRITTEN || batch->said == STORE_DURABLE))
            batch->durable_at = world->disk->log.count;
    }
    store_call_end(it);
}

static void store_on_start(struct engine_call *call, enum engine_status status)
{
    struct store_call *it = container_of(call, struct store_call, call);
    if (status == ENGINE_OK && !it->part->world->disk->dead)
        model_add_start(it->part, it->upto, true, it->part->world->disk->log.count);
    store_call_end(it);
}

static void store_part_start_up(struct store_part *part)
{
    struct part_state state;
    struct engine *engine = part->world->engine;
    engine->ops->part_get_state(part->part, &state);
    if (state.high_watermark <= state.log_start)
        return;
    struct store_call *it = store_call_new(part, store_on_start);
    it->upto = it->call.offset =
        sim_between(part->world->random, state.log_start, state.high_watermark);
    model_add_start(part, it->upto, false, part->world->disk->log.count);
    engine->ops->part_set_log_start(part->part, &it->call);
}

static void store_part_flush(struct store_part *part)
{
    struct part_state state;
    struct engine *engine = part->world->engine;
    engine->ops->part_get_state(part->part, &state);
    struct store_call *it = store_call_new(part, store_on_flush);
    it->upto = state.high_watermark;
    engine->ops->part_flush(part->part, &it->call);
}

/* --- the journal --- */

struct store_txn {
    struct meta_txn txn;
    struct store_world *world;
    size_t meta; /* in the model */
    uint8_t seq[8], incarnation[4];
    void (*then)(struct store_world *world, bool ok);
};

static void store_on_txn(struct meta_txn *txn, enum meta_status status)
{
    struct store_txn *it = container_of(txn, struct store_txn, txn);
    struct store_world *world = it->world;
    void (*then)(struct store_world *, bool) = it->then;
    bool ok = status == META_OK && !world->disk->dead;
    if (ok)
        world->model->metas[it->meta].acked_at = world->disk->log.count;
    world->n_waiting--;
    free(it);
    if (then != NULL)
        then(world, ok);
}

static void store_commit(
    struct store_world *world, unsigned incarnation, void (*then)(struct store_world *, bool))
{
    struct store_model *model = world->model;
    struct store_txn *it = xnew(struct store_txn);
    if (model->n_metas == model->metas_capacity) {
        model->metas_capacity = model->metas_capacity == 0 ? 64 : model->metas_capacity * 2;
        model->metas = xrealloc(model->metas, model->metas_capacity * sizeof(*model->metas));
    }
    it->world = world;
    it->meta = model->n_metas++;
    it->then = then;
    uint64_t seq = it->meta + 1;
    model->metas[it->meta].seq = seq;
    model->metas[it->meta].acked_at = STORE_NEVER;
    model->metas[it->meta].incarnation = incarnation;
    bytes_put_u64(it->seq, seq);
    bytes_put_u32(it->incarnation, incarnation);
    it->txn.ops[it->txn.n_ops++] =
        (struct meta_op){META_PUT, SLICE_LIT("seq"), slice_make(it->seq, 8)};
    if (incarnation == 0)
        it->txn.ops[it->txn.n_ops++] =
            (struct meta_op){.type = META_DELETE, .key = SLICE_LIT("topic/reborn")};
    else
        it->txn.ops[it->txn.n_ops++] =
            (struct meta_op){META_PUT, SLICE_LIT("topic/reborn"), slice_make(it->incarnation, 4)};
    it->txn.done = store_on_txn;
    world->n_waiting++;
    meta_commit(world->meta, &it->txn);
}

/* The incarnations that the journal's last entry names; 0 when it has none. */
static unsigned model_last_incarnation(const struct store_model *model)
{
    return model->n_metas == 0 ? 0 : model->metas[model->n_metas - 1].incarnation;
}

static unsigned model_next_incarnation(const struct store_model *model)
{
    unsigned last = 0;
    for (size_t i = 0; i < model->n_metas; i++)
        last = model->metas[i].incarnation > last ? model->metas[i].incarnation : last;
    return last + 1;
}

static void reborn_on_made(struct store_world *world, bool ok)
{
    struct store_part *part = &world->parts[STORE_REBORN];
    part->busy = false;
    if (!ok || world->ending) {
        part->incarnation = 0;
        return;
    }
    store_part_open(part, true);
}

static void reborn_on_deleted(struct engine_call *call, enum engine_status status)
{
    struct store_call *it = container_of(call, struct store_call, call);
    struct store_part *part = it->part;
    (void)status;
    part->busy = false;
    store_call_end(it);
}

static void reborn_on_unmade(struct store_world *world, bool ok)
{
    struct store_part *part = &world->parts[STORE_REBORN];
    if (!ok) {
        part->busy = false;
        return;
    }
    struct store_call *it = store_call_new(part, reborn_on_deleted);
    part->incarnation = 0;
    world->engine->ops->part_delete(steal(&part->part), &it->call);
}

static void store_reborn(struct store_world *world)
{
    struct store_part *part = &world->parts[STORE_REBORN];
    if (part->busy)
        return;
    part->busy = true;
    if (part->part != NULL) {
        store_commit(world, 0, reborn_on_unmade);
        return;
    }
    part->incarnation = model_next_incarnation(world->model);
    store_commit(world, part->incarnation, reborn_on_made);
}

/* --- the workload --- */

/* Runs for a while; log starts are noted before the calls that follow from them. */
static void store_run(struct store_world *world, unsigned steps)
{
    for (unsigned i = 0; i < steps && sim_sched_step(); i++)
        store_note_starts(world);
}

static void store_act_part(struct store_world *world, struct store_part *part)
{
    struct sim_random *random = world->random;
    if (part->part == NULL || !part->acquired || part->busy || part->failed)
        return;
    uint64_t choice = sim_below(random, 100);
    if (choice < 82) {
        unsigned n = 1 + (unsigned)sim_below(random, 3);
        bool durable = sim_chance(random, 50);
        for (unsigned i = 0; i < n && world->n_waiting < STORE_WAITING_MAX; i++)
            (void)store_append(part, durable, (unsigned)sim_below(random, STORE_KEYS));
    } else if (choice < 88) {
        store_part_flush(part);
    } else if (choice < 94 && part->kind == STORE_TRIMMED) {
        store_part_start_up(part);
    } else {
        struct part_state state;
        uint8_t blob[40] = {1, 2, 3, (uint8_t)part->index};
        world->engine->ops->part_get_state(part->part, &state);
        world->engine->ops->part_snapshot_put(
            part->part, state.high_watermark, slice_make(blob, sizeof(blob)));
    }
}

void store_world_act(struct store_world *world)
{
    struct sim_random *random = world->random;
    uint64_t choice = sim_below(random, 100);
    if (choice < 70)
        store_act_part(world, &world->parts[sim_below(random, STORE_PARTS)]);
    else if (choice < 74)
        store_commit(world, model_last_incarnation(world->model), NULL);
    else if (choice < 79)
        store_reborn(world);
    else if (choice < 90)
        sim_sched_advance(sim_between(random, 1, 120));
    store_note_starts(world);
    store_run(world, (unsigned)sim_below(random, 8));
}

/* --- the judge --- */

struct store_reading {
    struct engine_read read;
    bool done;
    enum engine_status status;
};

static void store_on_read(struct engine_read *read, enum engine_status status)
{
    struct store_reading *it = container_of(read, struct store_reading, read);
    it->done = true;
    it->status = status;
}

/* Whole batches from the offset on into `bytes`. */
static enum engine_status store_read(struct store_part *part, int64_t offset, struct buffer *bytes)
{
    struct env *env = &part->world->disk->env;
    struct store_reading it = {.read = {.offset = offset,
                                   .bound = INT64_MAX,
                                   .size_max = 1 << 16,
                                   .one_at_least = true,
                                   .done = store_on_read}};
    enum engine_status status = part->world->engine->ops->part_read(part->part, &it.read);
    if (status == ENGINE_PENDING) {
        sim_sched_settle();
        sim_check(it.done, "%s: a read at %" PRId64 " has no answer", part->label, offset);
        status = it.status;
    }
    bytes->size = 0;
    if (status != ENGINE_OK)
        return status;
    for (unsigned i = 0; i < it.read.n_chunks; i++) {
        struct chunk *chunk = &it.read.chunks[i];
        uint8_t *at = buffer_reserve(bytes, chunk->size);
        ssize_t n = (ssize_t)chunk->size;
        if (chunk->data != NULL)
            memcpy(at, chunk->data, chunk->size);
        else
            n = env->ops->file_pread(env, chunk->fd, at, chunk->size, chunk->pos);
        sim_check(
            n == (ssize_t)chunk->size, "%s: a read at %" PRId64 " is short", part->label, offset);
        bytes->size += chunk->size;
        chunk_release(chunk);
    }
    return ENGINE_OK;
}

struct store_judging {
    struct store_verdict *verdict;
    struct store_part *part;
    struct part_state state;
    bool *present;                /* by batch of the model */
    int64_t key_last[STORE_KEYS]; /* greatest offset with the key */
};

static void judge_batch(
    struct store_judging *judging, const uint8_t *bytes, const struct batch_header *header)
{
    struct store_part *part = judging->part;
    const struct store_model *model = part->world->model;
    bool valid = batch_crc_valid(bytes, header);
    const struct store_batch *batch = model_find(model, part->index, header);
    /* A copy of the log of a deleted topic of this name is nothing that was sent here either. */
    bool sent = batch != NULL &&
                (!judging->verdict->tolerant ||
                    (batch->incarnation == part->incarnation && header->leader_epoch == 0));
    if (judging->verdict->tolerant && (!valid || !sent)) {
        (*(valid ? &judging->verdict->wrong : &judging->verdict->served))++;
        log_debug("sim.wrong", "partition=%s offset=%" PRId64, part->label, header->base_offset);
        return;
    }
    sim_check(
        valid, "%s: the batch at %" PRId64 " is served damaged", part->label, header->base_offset);
    sim_check(batch != NULL, "%s: what lies at %" PRId64 " was never sent there", part->label,
        header->base_offset);
    sim_check(batch->incarnation == part->incarnation,
        "%s: %" PRId64 " belongs to a topic that was deleted", part->label, header->base_offset);
    sim_check(batch->said != STORE_REFUSED || batch->said_at == STORE_NEVER ||
                  batch->said_at > judging->verdict->at,
        "%s: %" PRId64 " was refused and is there", part->label, header->base_offset);
    judging->present[batch - model->batches] = true;
    if (batch->key < STORE_KEYS)
        judging->key_last[batch->key] = header->base_offset;
}

static bool judge_broken(struct slice bytes, size_t at)
{
    if (bytes.size - at < BATCH_HEADER_SIZE)
        return true;
    struct batch_header header = batch_header_parse(bytes.data + at);
    return !batch_header_sane(&header) || batch_size(&header) > bytes.size - at;
}

/* From `offset`; returns the offset behind the last batch. */
static int64_t judge_bytes(struct store_judging *judging, int64_t offset, struct slice bytes)
{
    bool gaps = judging->part->kind == STORE_COMPACTED;
    int64_t asked = offset;
    for (size_t at = 0; at < bytes.size;) {
        const char *label = judging->part->label;
        if (judging->verdict->tolerant && judge_broken(bytes, at)) {
            judging->verdict->wrong++;
            break;
        }
        sim_check(bytes.size - at >= BATCH_HEADER_SIZE, "%s: half a header", label);
        struct batch_header header = batch_header_parse(bytes.data + at);
        sim_check(batch_header_sane(&header) && batch_size(&header) <= bytes.size - at,
            "%s: no whole batch is served at %" PRId64, label, offset);
        bool first = at == 0 && header.base_offset <= asked && batch_last_offset(&header) >= asked;
        sim_check(first || header.base_offset == offset || (gaps && header.base_offset > offset) ||
                      judging->verdict->tolerant,
            "%s: a hole from %" PRId64 " to %" PRId64, label, offset, header.base_offset);
        judge_batch(judging, bytes.data + at, &header);
        offset = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
    return offset;
}

static void judge_scan(struct store_judging *judging)
{
    struct store_part *part = judging->part;
    struct buffer bytes = BUFFER_NULL;
    int64_t offset = judging->state.log_start;
    while (offset < judging->state.high_watermark) {
        enum engine_status status = store_read(part, offset, &bytes);
        if (status != ENGINE_OK && judging->verdict->tolerant) {
            sim_check(status == ENGINE_CORRUPT || status == ENGINE_STORAGE,
                "%s: a read at %" PRId64 " is answered with %d", part->label, offset, (int)status);
            judging->verdict->corrupt++;
            offset++;
            continue;
        }
        sim_check(status == ENGINE_OK, "%s: a read at %" PRId64 " is answered with %d", part->label,
            offset, (int)status);
        if (bytes.size == 0) {
            sim_check(part->kind == STORE_COMPACTED || judging->verdict->tolerant,
                "%s: nothing at %" PRId64, part->label, offset);
            offset++;
            continue;
        }
        int64_t next = judge_bytes(judging, offset, buffer_slice(&bytes));
        if (judging->verdict->tolerant && next <= offset)
            next = offset + 1;
        sim_check(next > offset, "%s: no progress at %" PRId64, part->label, offset);
        offset = next;
    }
    buffer_deinit(&bytes);
}

/* Whether the batch must be there after a failure at verdict->at. */
static bool judge_wanted(const struct store_judging *judging, const struct store_batch *batch)
{
    const struct store_verdict *verdict = judging->verdict;
    if (batch->part != judging->part->index || batch->incarnation != judging->part->incarnation ||
        batch->end <= judging->state.log_start)
        return false;
    if (batch->durable_at <= verdict->at && batch->durable_at != STORE_NEVER)
        return true;
    const struct store_model *model = judging->part->world->model;
    bool written = batch->said == STORE_WRITTEN && batch->said_at <= verdict->at;
    return written && verdict->kill && batch->life == model->life &&
           verdict->at <= model->sync_failed_at;
}

static void judge_batches(struct store_judging *judging)
{
    struct store_part *part = judging->part;
    const struct store_model *model = part->world->model;
    struct store_verdict *verdict = judging->verdict;
    for (size_t i = 0; i < model->n_batches; i++) {
        if (model->batches[i].part == part->index && verdict->note_present != NULL)
            verdict->note_present[i] = judging->present[i];
    }
    if (verdict->baseline != NULL) {
        for (size_t i = 0; i < model->n_batches; i++) {
            if (model->batches[i].part != part->index || !verdict->baseline[i] ||
                judging->present[i])
                continue;
            verdict->missing++;
            log_debug(
                "sim.missing", "partition=%s offset=%" PRId64, part->label, model->batches[i].base);
        }
        return;
    }
    for (size_t i = 0; i < model->n_batches; i++) {
        const struct store_batch *batch = &model->batches[i];
        bool there =
            judging->present[i] || (part->kind == STORE_COMPACTED && batch->key < STORE_KEYS &&
                                       judging->key_last[batch->key] >= batch->base);
        if (there)
            continue;
        if (!judge_wanted(judging, batch)) {
            if (batch->part == part->index && batch->said == STORE_WRITTEN &&
                batch->said_at <= judging->verdict->at && batch->base >= judging->state.log_start)
                sim_count(SIM_COUNT_LOST_WRITTEN, 1);
            continue;
        }
        sim_violation("%s: %s at %" PRId64 " is lost (log start %" PRId64 ", end %" PRId64 ")",
            part->label, batch->durable_at != STORE_NEVER ? "a durable batch" : "a written batch",
            batch->base, judging->state.log_start, judging->state.high_watermark);
    }
}

static void judge_start(struct store_judging *judging)
{
    struct store_part *part = judging->part;
    const struct store_model *model = part->world->model;
    int64_t least = 0, most = 0, log_start = judging->state.log_start;
    for (size_t i = 0; i < model->n_starts; i++) {
        const struct store_start *start = &model->starts[i];
        if (start->part != part->index || start->incarnation != part->incarnation ||
            start->at > judging->verdict->at)
            continue;
        if (start->least && start->offset > least)
            least = start->offset;
        if (start->offset > most)
            most = start->offset;
    }
    if (judging->verdict->tolerant)
        return;
    sim_check(log_start >= least, "%s: the log start fell from %" PRId64 " to %" PRId64,
        part->label, least, log_start);
    sim_check(log_start <= most,
        "%s: the log start is %" PRId64 ", nobody wanted more than %" PRId64, part->label,
        log_start, most);
}

static void judge_part(struct store_part *part, struct store_verdict *verdict)
{
    struct store_judging judging = {.verdict = verdict, .part = part};
    if (part->failed && verdict->mixed_up) {
        verdict->offline++;
        return;
    }
    sim_check(!part->failed, "%s does not open", part->label);
    sim_check(part->acquired, "%s is never acquired", part->label);
    for (unsigned i = 0; i < STORE_KEYS; i++)
        judging.key_last[i] = -1;
    judging.present = xnew_n(bool, part->world->model->n_batches + 1);
    part->world->engine->ops->part_get_state(part->part, &judging.state);
    judge_scan(&judging);
    judge_start(&judging);
    judge_batches(&judging);
    free(judging.present);
}

static void judge_journal(struct store_world *world, const struct store_verdict *verdict)
{
    const struct store_model *model = world->model;
    struct slice value = meta_get(world->meta, SLICE_LIT("seq"), NULL);
    uint64_t seq = value.size == 8 ? bytes_get_u64(value.data) : 0, least = 0;
    for (size_t i = 0; i < model->n_metas; i++) {
        if (model->metas[i].acked_at <= verdict->at && model->metas[i].seq > least)
            least = model->metas[i].seq;
    }
    sim_check(seq <= model->n_metas, "the journal knows a change that nobody made");
    sim_check(seq >= least, "the journal lost a change: %" PRIu64 " of %" PRIu64, seq, least);
    unsigned incarnation = seq == 0 ? 0 : model->metas[seq - 1].incarnation;
    sim_check(incarnation == store_incarnation(world), "the journal mixes two changes");
}

void store_world_judge(struct store_world *world, struct store_verdict *verdict)
{
    if (!verdict->journal_damaged)
        judge_journal(world, verdict);
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        if (world->parts[i].part != NULL)
            judge_part(&world->parts[i], verdict);
    }
}

void store_world_judge_alive(struct store_world *world)
{
    size_t before = world->model->n_batches;
    uint64_t acks = sim_job->counts[SIM_COUNT_ACKS], id = world->model->next_id;
    unsigned wanted = 0;
    for (unsigned i = 0; i < STORE_PARTS; i++) {
        struct store_part *part = &world->parts[i];
        if (part->part == NULL || part->failed)
            continue;
        enum engine_status status = store_append(part, true, 0);
        sim_check(status == ENGINE_PENDING, "%s: an append is answered with %d", part->label,
            (int)status);
        wanted++;
    }
    sim_sched_settle();
    for (size_t i = before; i < world->model->n_batches; i++)
        sim_check(world->model->batches[i].said == STORE_DURABLE,
            "topic%u-0: an append after the recovery does not become durable",
            world->model->batches[i].part);
    sim_check(world->model->n_batches - before == wanted, "the model is full");
    world->model->n_batches = before;
    world->model->next_id = id;
    sim_job->counts[SIM_COUNT_ACKS] = acks;
}
