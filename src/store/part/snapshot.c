// SPDX-License-Identifier: BSD-2-Clause
/*
 * Snapshots: what is above keeps a blob that describes the log up to an offset, in
 * `<offset, 20 digits>.snapshot`. It is Kafka's file of producers, with something behind it that
 * Kafka's readers pass over:
 *
 *   int16 version = 1  uint32 crc32c(the rest)  blob  int64 upto  "ODSN"
 *
 * The blob begins with Kafka's array of producers (engine.h).
 *
 * The newest two are kept. One that is damaged, foreign, or describes more than the log holds is
 * passed over; all of them are only advice.
 */
#include "store/part/snapshot.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "base/small_file.h"
#include "store/part/part.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

enum {
    SNAPSHOT_POS_CRC = 2,
    SNAPSHOT_HEADER_SIZE = 6,
    SNAPSHOT_TRAILER_SIZE = 12,
    SNAPSHOT_VERSION = 1,
};
#define SNAPSHOT_SIZE_MAX (1U << 30)
#define SNAPSHOT_KEPT     2

void snapshot_names_note(struct snapshot_names *names, const char *name)
{
    int64_t upto;
    if (strlen(name) != 29 || !segment_parse_name(name, ".snapshot", &upto))
        return;
    unsigned at = names->count < SNAPSHOT_FILES_MAX ? names->count++ : SNAPSHOT_FILES_MAX - 1;
    for (; at > 0 && names->uptos[at - 1] < upto; at--)
        names->uptos[at] = names->uptos[at - 1];
    names->uptos[at] = upto;
}

static int snapshot_on_name(void *ctx, const char *name)
{
    snapshot_names_note(ctx, name);
    return 0;
}

static int snapshot_list(struct env *env, const char *dir, struct snapshot_names *ret_names)
{
    ret_names->count = 0;
    int r = env->ops->dir_list(env, dir, snapshot_on_name, ret_names);
    return r == -ENOENT ? 0 : error_trace(r);
}

static void snapshot_unlink(struct env *env, const char *dir, int64_t upto)
{
    _cleanup_(freep) char *path = segment_path(dir, upto, ".snapshot");
    env->ops->path_unlink(env, path);
}

bool snapshot_drop_above(
    struct env *env, const char *dir, const struct snapshot_names *names, int64_t log_end)
{
    unsigned i;
    for (i = 0; i < names->count && names->uptos[i] > log_end; i++)
        snapshot_unlink(env, dir, names->uptos[i]);
    return i > 0;
}

void part_snapshot_cut(struct part *part, int64_t log_end)
{
    struct env *env = part->local->env;
    struct snapshot_names names;
    if (snapshot_list(env, part->dir, &names) >= 0)
        snapshot_drop_above(env, part->dir, &names, log_end);
}

/* --- put --- */

struct put_task {
    struct part_task task;
    int64_t upto;
    struct buffer bytes;
};

static void put_run(struct part_task *base)
{
    struct put_task *task = container_of(base, struct put_task, task);
    struct part *part = base->part;
    struct snapshot_names names;
    _cleanup_(freep) char *path = segment_path(part->dir, task->upto, ".snapshot");
    base->result = small_file_write_unsynced(part->local->env, path, buffer_slice(&task->bytes));
    if (base->result < 0 || snapshot_list(part->local->env, part->dir, &names) < 0)
        return;
    for (unsigned i = SNAPSHOT_KEPT; i < names.count; i++)
        snapshot_unlink(part->local->env, part->dir, names.uptos[i]);
}

static void put_done(struct part_task *base)
{
    struct put_task *task = container_of(base, struct put_task, task);
    static struct log_limit limit;
    if (base->result < 0 && log_limit_pass(&limit, 1000))
        log_warn("partition.snapshot_failed", "partition=%s error=\"%s\"", base->part->label,
            log_errno(-base->result).str);
    buffer_deinit(&task->bytes);
    free(task);
}

void part_snapshot_put(struct part *part, int64_t upto, struct slice blob)
{
    assert(upto >= 0 && blob.size <= SNAPSHOT_SIZE_MAX);
    if (part_ready(part) != ENGINE_OK || !part->dir_exists || upto > part->written_end)
        return;
    part->snapshot_known = false;
    struct put_task *task = xnew(struct put_task);
    task->upto = upto;
    size_t size = SNAPSHOT_HEADER_SIZE + blob.size + SNAPSHOT_TRAILER_SIZE;
    uint8_t *at = buffer_reserve(&task->bytes, size);
    uint8_t *trailer = at + SNAPSHOT_HEADER_SIZE + blob.size;
    if (blob.size > 0)
        memcpy(at + SNAPSHOT_HEADER_SIZE, blob.data, blob.size);
    bytes_put_u64(trailer, (uint64_t)upto);
    memcpy(trailer + 8, "ODSN", 4);
    bytes_put_u16(at, SNAPSHOT_VERSION);
    bytes_put_u32(
        at + SNAPSHOT_POS_CRC, crc32c(0, at + SNAPSHOT_HEADER_SIZE, size - SNAPSHOT_HEADER_SIZE));
    task->bytes.size = size;
    part_task_submit(part, &task->task, false, put_run, put_done);
}

/* --- get --- */

struct get_task {
    struct part_task task;
    struct engine_call *call;
    struct buffer *ret_blob;
    struct buffer blob;
    int64_t log_end;
    int64_t upto; /* -1: none */
};

static bool snapshot_valid(const struct buffer *bytes, int64_t upto)
{
    if (bytes->size < SNAPSHOT_HEADER_SIZE + SNAPSHOT_TRAILER_SIZE)
        return false;
    const uint8_t *at = bytes->data, *trailer = at + bytes->size - SNAPSHOT_TRAILER_SIZE;
    return bytes_get_u16(at) == SNAPSHOT_VERSION && memcmp(trailer + 8, "ODSN", 4) == 0 &&
           (int64_t)bytes_get_u64(trailer) == upto &&
           bytes_get_u32(at + SNAPSHOT_POS_CRC) ==
               crc32c(0, at + SNAPSHOT_HEADER_SIZE, bytes->size - SNAPSHOT_HEADER_SIZE);
}

static bool snapshot_load(struct env *env, const char *dir, int64_t upto, struct buffer *ret_blob)
{
    _cleanup_(freep) char *path = segment_path(dir, upto, ".snapshot");
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    int r = small_file_read(
        env, path, SNAPSHOT_SIZE_MAX + SNAPSHOT_HEADER_SIZE + SNAPSHOT_TRAILER_SIZE, &bytes);
    if (r != 0 || !snapshot_valid(&bytes, upto))
        return false;
    buffer_append(ret_blob, bytes.data + SNAPSHOT_HEADER_SIZE,
        bytes.size - SNAPSHOT_HEADER_SIZE - SNAPSHOT_TRAILER_SIZE);
    return true;
}

int64_t snapshot_find(struct env *env, const char *dir, const struct snapshot_names *names,
    int64_t log_end, struct buffer *ret_blob)
{
    for (unsigned i = 0; i < names->count; i++) {
        int64_t upto = names->uptos[i];
        if (upto <= log_end && snapshot_load(env, dir, upto, ret_blob))
            return upto;
        snapshot_unlink(env, dir, upto); /* of no use to anybody any more */
    }
    return -1;
}

static void get_run(struct part_task *base)
{
    struct get_task *task = container_of(base, struct get_task, task);
    struct part *part = base->part;
    struct snapshot_names names;
    base->result = snapshot_list(part->local->env, part->dir, &names);
    if (base->result == 0)
        task->upto = snapshot_find(part->local->env, part->dir, &names, task->log_end, &task->blob);
}

static void get_done(struct part_task *base)
{
    struct get_task *task = container_of(base, struct get_task, task);
    struct engine_call *call = task->call;
    enum engine_status status = part_ready(base->part);
    if (status == ENGINE_OK && base->result < 0)
        status = ENGINE_STORAGE;
    call->offset = status == ENGINE_OK ? task->upto : -1;
    if (status == ENGINE_OK)
        buffer_append_slice(task->ret_blob, buffer_slice(&task->blob));
    buffer_deinit(&task->blob);
    free(task);
    call->done(call, status);
}

void part_snapshot_get(struct part *part, struct buffer *ret_blob, struct engine_call *call)
{
    enum engine_status status = part_ready(part);
    call->offset = -1;
    if (status != ENGINE_OK || !part->dir_exists) {
        part_answer(part, call, status);
        return;
    }
    if (part->snapshot_known) { /* recovery looked, and nothing was appended since */
        part->snapshot_known = false;
        call->offset = part->snapshot_upto;
        buffer_append_slice(ret_blob, buffer_slice(&part->snapshot));
        buffer_deinit(&part->snapshot);
        part_answer(part, call, status);
        return;
    }
    struct get_task *task = xnew(struct get_task);
    task->call = call;
    task->ret_blob = ret_blob;
    task->log_end = part->written_end;
    task->upto = -1;
    part_task_submit(part, &task->task, false, get_run, get_done);
}
