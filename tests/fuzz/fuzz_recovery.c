// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as a segment that a crash left: the engine must open it, serve only whole batches in
 * order, take an append, and find all of it again after a kill. The first byte chooses a recovery
 * point, whether checksums and offsets are mended so that the walk gets further, and whether the
 * last bytes are the segment's index; the rest is the log.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/engine.h"
#include "support/step_loop.h"

#include <assert.h>
#include <stdio.h>

enum { FUZZ_POINT = 1, FUZZ_MEND = 2, FUZZ_INDEX = 4, FUZZ_CLEAN = 8 };
enum { INDEX_SIZE = 24, BATCH_SIZE = 80 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct env *env;
static struct loop *loop;
static struct engine *engine;
static struct part *part;
static bool acquired, failed;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_set_level(LOG_ERROR + 1);
    return 0;
}

static void write_file(const char *path, const void *data, size_t size)
{
    int fd = env->ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE);
    struct iovec iov = {(void *)(uintptr_t)data, size};
    assert(fd >= 0);
    int r = size == 0 ? 0 : env->ops->file_pwritev(env, fd, &iov, 1, 0);
    assert(r == 0);
    env->ops->file_close(env, fd);
}

/* Right checksums and, half of the time, offsets that follow. */
static void mend(uint8_t *log, size_t size, bool offsets)
{
    int64_t offset = 0;
    for (size_t at = 0; size - at >= BATCH_HEADER_SIZE;) {
        log[at + BATCH_POS_MAGIC] = 2;
        bytes_put_u32(log + at + BATCH_POS_LENGTH, BATCH_HEADER_SIZE + log[at + 11] % 64);
        struct batch_header header = batch_header_parse(log + at);
        if (batch_size(&header) > size - at)
            return;
        if (offsets) {
            bytes_put_u64(log + at, (uint64_t)offset);
            bytes_put_u32(log + at + BATCH_POS_LAST_OFFSET_DELTA, log[at + 26] % 16);
            offset += log[at + 26] % 16 + 1;
        }
        bytes_put_u32(log + at + BATCH_POS_CRC,
            crc32c(0, log + at + BATCH_POS_ATTRIBUTES, batch_size(&header) - BATCH_POS_ATTRIBUTES));
        at += batch_size(&header);
    }
}

/* --- the engine --- */

static void on_acquired(void *ctx, struct part *it, int32_t leader_epoch)
{
    (void)ctx;
    (void)it;
    (void)leader_epoch;
    acquired = true;
}

static void on_event(void *ctx, struct part *it)
{
    (void)ctx;
    (void)it;
}

static void on_offset(void *ctx, struct part *it, int64_t offset)
{
    (void)ctx;
    (void)it;
    (void)offset;
}

static void on_failed(void *ctx, struct part *it, int error)
{
    (void)ctx;
    (void)it;
    (void)error;
    failed = true;
}

static const struct engine_sink sink = {.on_acquired = on_acquired,
    .on_lost = on_event,
    .on_committed = on_offset,
    .on_log_start = on_offset,
    .on_failed = on_failed};

static void start(void)
{
    static const struct part_config config = {
        .segment_size_max = 1 << 20,
        .segment_ms_max = INT64_MAX / 2,
        .retention_ms = -1,
        .retention_size = -1,
        .index_interval_size = 128,
        .index_size_max = 1 << 20,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
        .cleanup_delete = true,
    };
    struct engine_local_config local = {.env = env,
        .n_loops = 1,
        .dir = "data",
        .files_open_max = 4,
        .space_reserve = 64U << 20,
        .retention_check_ms = 300000,
        .sync_all = true};
    struct part_id id = {.topic_id = {{7}}};
    loop = step_loop_start(env);
    local.loops = &loop;
    acquired = failed = false;
    int r = engine_local_new(&local, &engine);
    assert(r == 0);
    part = engine->ops->part_open(engine, loop, &id, "t-0", false, &config, &sink, NULL);
    step_settle();
    assert(acquired != failed);
}

static void stop(void)
{
    engine->ops->part_close(part, NULL);
    step_settle();
    engine->ops->free(engine);
}

static bool read_done;
static enum engine_status read_status;

static void on_read(struct engine_read *read, enum engine_status status)
{
    (void)read;
    read_done = true;
    read_status = status;
}

/* What the chunk holds must be whole batches that go on from `offset`; returns where they end. Not
 * strict: damage below the recovery point is not known any more (nothing remembers it over a
 * restart), so a range may lead over it. */
static int64_t check_chunk(const struct chunk *chunk, int64_t offset, bool strict)
{
    uint8_t *bytes = xmalloc(chunk->size);
    int64_t next = offset;
    ssize_t n = env->ops->file_pread(env, chunk->fd, bytes, chunk->size, chunk->pos);
    assert(n == (ssize_t)chunk->size);
    for (size_t at = 0; at < chunk->size;) {
        struct batch_header header = {0};
        if (chunk->size - at >= BATCH_HEADER_SIZE)
            header = batch_header_parse(bytes + at);
        bool whole = batch_header_sane(&header) && batch_size(&header) <= chunk->size - at;
        assert(whole || !strict);
        if (!whole)
            break;
        if (batch_last_offset(&header) >= next)
            next = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
    assert(next > offset);
    free(bytes);
    return next;
}

/* Everything that can be read, at most `steps` reads. */
static void scan(unsigned steps, bool strict)
{
    struct part_state state;
    engine->ops->part_get_state(part, &state);
    int64_t offset = state.log_start;
    while (offset < state.high_watermark && steps-- > 0) {
        struct engine_read read = {.offset = offset,
            .bound = INT64_MAX,
            .size_max = 200,
            .one_at_least = true,
            .done = on_read};
        read_done = false;
        read_status = engine->ops->part_read(part, &read);
        if (read_status == ENGINE_PENDING)
            step_settle();
        assert(read_status == ENGINE_OK || read_status == ENGINE_CORRUPT);
        if (read_status == ENGINE_CORRUPT || read.n_chunks == 0) {
            offset++;
            continue;
        }
        offset = check_chunk(&read.chunks[0], offset, strict);
        chunk_release(&read.chunks[0]);
    }
}

static enum engine_status append_status;

static void on_append(struct engine_append *append, enum engine_status status)
{
    (void)append;
    append_status = status;
}

static int64_t append(void)
{
    uint8_t batch[BATCH_SIZE] = {0};
    bytes_put_u32(batch + BATCH_POS_LENGTH, BATCH_SIZE - BATCH_LENGTH_OVERHEAD);
    batch[BATCH_POS_MAGIC] = 2;
    bytes_put_u32(batch + BATCH_POS_RECORDS_COUNT, 1);
    bytes_put_u32(batch + BATCH_POS_CRC,
        crc32c(0, batch + BATCH_POS_ATTRIBUTES, BATCH_SIZE - BATCH_POS_ATTRIBUTES));
    struct engine_append it = {
        .data = batch, .size = BATCH_SIZE, .flags = ENGINE_APPEND_DURABLE, .done = on_append};
    append_status = ENGINE_PENDING;
    enum engine_status status = engine->ops->part_append(part, &it);
    assert(status == ENGINE_PENDING);
    step_settle();
    assert(append_status == ENGINE_OK);
    return it.base_offset;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned mode = data[0], point = data[1];
    uint8_t *log = xmalloc(size);
    memcpy(log, data + 2, size - 2);
    size -= 2;
    env = env_memory_new(env_posix());
    env->ops->dir_make(env, "data");
    env->ops->dir_make(env, "data/t-0");
    if ((mode & FUZZ_INDEX) != 0 && size > INDEX_SIZE) {
        size -= INDEX_SIZE;
        write_file("data/t-0/00000000000000000000.index", log + size, INDEX_SIZE);
        write_file("data/t-0/00000000000000000000.timeindex", log, 0);
    }
    if ((mode & FUZZ_MEND) != 0)
        mend(log, size, (mode & 0x80) == 0);
    write_file("data/t-0/00000000000000000000.log", log, size);
    if ((mode & FUZZ_POINT) != 0) {
        char text[64];
        int n = snprintf(text, sizeof(text), "0\n1\nt 0 %u\n", point);
        write_file("data/recovery-point-offset-checkpoint", text, (size_t)n);
    }
    if ((mode & FUZZ_CLEAN) != 0)
        write_file("data/.kafka_cleanshutdown", "", 0);
    start();
    if (acquired) {
        scan(400, true);
        int64_t offset = append();
        stop();
        start();
        assert(acquired);
        struct part_state state;
        engine->ops->part_get_state(part, &state);
        assert(state.log_end == offset + 1);
        scan(400, false);
    }
    stop();
    env_memory_free(env);
    free(log);
    return 0;
}
