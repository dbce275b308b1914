// SPDX-License-Identifier: BSD-2-Clause
#include "support/store_world.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/memory.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct world world;

/* --- the sink --- */

static void world_on_acquired(void *ctx, struct part *part, int32_t leader_epoch)
{
    (void)ctx;
    (void)part;
    ck_assert_uint_eq(world.depth, 0);
    ck_assert_int_eq(leader_epoch, world_state(part).leader_epoch);
    world.n_acquired++;
}

static void world_on_lost(void *ctx, struct part *part)
{
    (void)ctx;
    (void)part;
    ck_assert_uint_eq(world.depth, 0);
    world.n_lost++;
}

static void world_on_committed(void *ctx, struct part *part, int64_t high_watermark)
{
    (void)ctx;
    (void)part;
    ck_assert_uint_eq(world.depth, 0);
    world.n_committed++;
    world.high_watermark = high_watermark;
}

static void world_on_log_start(void *ctx, struct part *part, int64_t log_start)
{
    (void)ctx;
    (void)part;
    ck_assert_uint_eq(world.depth, 0);
    world.n_start_moved++;
    world.log_start = log_start;
}

static void world_on_failed(void *ctx, struct part *part, int error)
{
    (void)ctx;
    (void)part;
    ck_assert_uint_eq(world.depth, 0);
    ck_assert_int_lt(error, 0);
    world.n_failed++;
}

const struct engine_sink world_sink = {
    .on_acquired = world_on_acquired,
    .on_lost = world_on_lost,
    .on_committed = world_on_committed,
    .on_log_start = world_on_log_start,
    .on_failed = world_on_failed,
};

/* --- life --- */

void world_make(void)
{
    world = (struct world){.files_open_max = 16, .sync_all = true};
    snprintf(world.dir, sizeof(world.dir), "%s/odradek-store-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(world.dir));
    faulty_env_init(&world.faulty, env_posix());
    world.config = (struct part_config){
        .segment_size_max = 1 << 20,
        .segment_ms_max = 7 * 24 * 3600000L,
        .retention_ms = -1,
        .retention_size = -1,
        .index_interval_size = 256,
        .index_size_max = 1 << 20,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
        .cleanup_delete = true,
    };
    log_set_level(LOG_ERROR + 1);
}

static int world_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void world_clear(void)
{
    if (world.engine != NULL)
        world_kill();
    nftw(world.dir, world_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    ck_assert_uint_eq(step_timers_count(), 0);
}

struct part *world_open_part(const char *label, uint8_t topic, bool fresh)
{
    struct part_id id = {.topic_id = {{1, 2, 3, topic}}, .partition = 0};
    world.depth++;
    struct part *part = world.engine->ops->part_open(
        world.engine, world.loop, &id, label, fresh, &world.config, &world_sink, NULL);
    world.depth--;
    step_settle();
    return part;
}

static int world_start_engine(void)
{
    world.loop = step_loop_start(&world.faulty.env);
    struct engine_local_config config = {
        .env = &world.faulty.env,
        .loops = &world.loop,
        .n_loops = 1,
        .dir = world.dir,
        .files_open_max = world.files_open_max,
        .space_reserve = 64 << 20,
        .scrub_rate = world.scrub_rate,
        .retention_check_ms = 300000,
        .cleaner_backoff_ms = world.cleaner_backoff_ms,
        .cleaner_map_size_max = world.cleaner_map_size_max,
        .cleaner_threads = world.cleaner_threads,
        .cleaner_rate = world.cleaner_rate,
        .index_save_min = world.index_save_min,
        .sync_disk_min = world.sync_disk_min,
        .sync_all = world.sync_all,
    };
    return engine_local_new(&config, &world.engine);
}

void world_start(void)
{
    ck_assert_int_eq(world_try_start(), 0);
}

int world_try_start(void)
{
    world.n_acquired = world.n_lost = world.n_failed = world.n_committed = 0;
    world.n_start_moved = 0;
    int r = world_start_engine();
    if (r == 0)
        world.part = world_open_part(WORLD_LABEL, 7, false);
    return r;
}

void world_stop_part(struct part *part)
{
    world.depth++;
    world.engine->ops->part_close(part, NULL);
    world.depth--;
    step_settle();
}

void world_stop(void)
{
    if (world.part != NULL)
        world_stop_part(steal(&world.part));
    world.engine->ops->free(steal(&world.engine));
}

void world_kill(void)
{
    step_hold_pool(false);
    world.faulty.dead = true;
    world_stop();
    world.faulty.dead = false;
}

/* --- append --- */

uint8_t *world_batch(const struct batch_spec *spec)
{
    size_t size = spec->size == 0 ? 100 : spec->size;
    uint8_t *at = xmalloc(size);
    for (size_t i = BATCH_HEADER_SIZE; i < size; i++)
        at[i] = (uint8_t)(i * 7 + (size_t)spec->n_records);
    memset(at, 0, BATCH_HEADER_SIZE);
    bytes_put_u32(at + BATCH_POS_LENGTH, (uint32_t)size - BATCH_LENGTH_OVERHEAD);
    at[BATCH_POS_MAGIC] = 2;
    bytes_put_u32(at + BATCH_POS_LAST_OFFSET_DELTA, (uint32_t)spec->n_records - 1);
    bytes_put_u64(at + BATCH_POS_BASE_TIMESTAMP, (uint64_t)spec->timestamp);
    bytes_put_u64(at + BATCH_POS_MAX_TIMESTAMP, (uint64_t)spec->timestamp);
    bytes_put_u64(at + BATCH_POS_PRODUCER_ID, UINT64_MAX);
    bytes_put_u32(at + BATCH_POS_RECORDS_COUNT, (uint32_t)spec->n_records);
    bytes_put_u32(
        at + BATCH_POS_CRC, crc32c(0, at + BATCH_POS_ATTRIBUTES, size - BATCH_POS_ATTRIBUTES));
    return at;
}

static void world_on_append(struct engine_append *append, enum engine_status status)
{
    struct world_append *it = container_of(append, struct world_append, append);
    ck_assert_uint_eq(world.depth, 0);
    ck_assert(!it->done);
    it->done = true;
    it->status = status;
}

struct world_append *world_append(struct part *part, const struct batch_spec *spec)
{
    struct world_append *it = xnew(struct world_append);
    it->append.data = world_batch(spec);
    it->append.size = spec->size == 0 ? 100 : spec->size;
    it->append.flags = spec->flags;
    it->append.origin = spec->origin;
    it->append.done = world_on_append;
    world.depth++;
    it->answer = world.engine->ops->part_append(part, &it->append);
    world.depth--;
    if (it->answer != ENGINE_PENDING) {
        it->done = true;
        it->status = it->answer;
    }
    return it;
}

void world_append_free(struct world_append *append)
{
    ck_assert(append->done);
    free(append->append.data);
    free(append);
}

static enum engine_status world_put_flags(
    struct part *part, int32_t n_records, size_t size, unsigned flags)
{
    struct batch_spec spec = {
        .n_records = n_records, .size = size, .timestamp = world.faulty.real_ms, .flags = flags};
    struct world_append *append = world_append(part, &spec);
    step_settle();
    ck_assert(append->done);
    enum engine_status status = append->status;
    world_append_free(append);
    return status;
}

enum engine_status world_put(struct part *part, int32_t n_records, size_t size)
{
    return world_put_flags(part, n_records, size, 0);
}

enum engine_status world_put_durable(struct part *part, int32_t n_records, size_t size)
{
    return world_put_flags(part, n_records, size, ENGINE_APPEND_DURABLE);
}

/* --- read --- */

struct world_reading {
    struct engine_read read;
    bool done;
    enum engine_status status;
};

static void world_on_read(struct engine_read *read, enum engine_status status)
{
    struct world_reading *it = container_of(read, struct world_reading, read);
    ck_assert_uint_eq(world.depth, 0);
    it->done = true;
    it->status = status;
}

/* Whole, valid, consecutive batches or the test fails. */
static void world_check_batches(struct world_read *read)
{
    for (size_t at = 0; at < read->size;) {
        ck_assert_uint_ge(read->size - at, BATCH_HEADER_SIZE);
        struct batch_header header = batch_header_parse(read->bytes + at);
        ck_assert(batch_header_sane(&header));
        ck_assert_uint_le(batch_size(&header), read->size - at);
        ck_assert(batch_crc_valid(read->bytes + at, &header));
        if (read->n_batches++ == 0)
            read->first_offset = header.base_offset;
        else if (world.gaps)
            ck_assert_int_ge(header.base_offset, read->next_offset);
        else
            ck_assert_int_eq(header.base_offset, read->next_offset);
        read->next_offset = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
}

struct world_read world_read_below(
    struct part *part, int64_t offset, int64_t bound, uint32_t size_max, bool one)
{
    struct world_reading it = {.read = {.offset = offset,
                                   .bound = bound,
                                   .size_max = size_max,
                                   .one_at_least = one,
                                   .done = world_on_read}};
    struct world_read result = {.first_offset = -1, .next_offset = -1};
    world.depth++;
    result.status = world.engine->ops->part_read(part, &it.read);
    world.depth--;
    if (result.status == ENGINE_PENDING) {
        result.pending = true;
        step_settle();
        ck_assert(it.done);
        result.status = it.status;
    }
    if (result.status != ENGINE_OK)
        return result;
    result.size = it.read.size;
    result.bytes = xmalloc(result.size);
    size_t at = 0;
    for (unsigned i = 0; i < it.read.n_chunks; i++) {
        struct chunk *chunk = &it.read.chunks[i];
        ck_assert_int_eq(
            pread(chunk->fd, result.bytes + at, chunk->size, (off_t)chunk->pos), chunk->size);
        at += chunk->size;
        chunk_release(chunk);
    }
    ck_assert_uint_eq(at, result.size);
    world_check_batches(&result);
    return result;
}

struct world_read world_read(struct part *part, int64_t offset, uint32_t size_max, bool one)
{
    return world_read_below(part, offset, INT64_MAX, size_max, one);
}

struct part_state world_state(struct part *part)
{
    struct part_state state;
    world.engine->ops->part_get_state(part, &state);
    return state;
}

int64_t world_scan(struct part *part)
{
    struct part_state state = world_state(part);
    int64_t offset = state.log_start;
    while (offset < state.high_watermark) {
        struct world_read read = world_read(part, offset, 64 << 10, true);
        ck_assert_int_eq(read.status, ENGINE_OK);
        ck_assert_uint_gt(read.n_batches, 0);
        ck_assert_int_le(read.first_offset, offset);
        ck_assert_int_gt(read.next_offset, offset);
        offset = read.next_offset;
        free(read.bytes);
    }
    ck_assert_int_eq(offset, state.high_watermark);
    return offset;
}

/* --- calls --- */

struct world_calling {
    bool done;
    enum engine_status status;
};
static struct world_calling world_calling;

static void world_on_call(struct engine_call *call, enum engine_status status)
{
    (void)call;
    ck_assert_uint_eq(world.depth, 0);
    world_calling = (struct world_calling){true, status};
}

enum engine_status world_call(struct part *part,
    void (*fn)(struct part *part, struct engine_call *call), struct engine_call *call)
{
    world_calling.done = false;
    call->done = world_on_call;
    world.depth++;
    fn(part, call);
    world.depth--;
    step_settle();
    ck_assert(world_calling.done);
    return world_calling.status;
}

/* --- damage --- */

char *world_path(const char *name)
{
    return xasprintf("%s/%s", world.dir, name);
}

void world_file_write(const char *name, uint64_t pos, const void *data, size_t size)
{
    char *path = world_path(name);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, data, size, (off_t)pos), (ssize_t)size);
    close(fd);
    free(path);
}

void world_file_truncate(const char *name, uint64_t size)
{
    char *path = world_path(name);
    ck_assert_int_eq(truncate(path, (off_t)size), 0);
    free(path);
}

void world_file_remove(const char *name)
{
    char *path = world_path(name);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}

bool world_file_exists(const char *name)
{
    char *path = world_path(name);
    bool exists = access(path, F_OK) == 0;
    free(path);
    return exists;
}

uint64_t world_file_size(const char *name)
{
    struct stat st;
    char *path = world_path(name);
    ck_assert_int_eq(stat(path, &st), 0);
    free(path);
    return (uint64_t)st.st_size;
}
