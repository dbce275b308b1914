// SPDX-License-Identifier: BSD-2-Clause
/*
 *   "ODCS"  uint32 version = 2  uint64 bytes of the log  uint32 count  uint32 owner
 *           uint32 1 if final  uint32 CRC32C(base offset, what follows the magic but this, entries)
 *   count times: uint32 position  uint32 CRC32C(position, first 21 bytes of the batch)
 *
 * The seal: "ODSL"  uint32 the sidecar's CRC32C  uint32 CRC32C(base offset, what comes before)
 */
#include "store/integrity/checksums.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/small_file.h"

#include <assert.h>
#include <errno.h>

enum {
    CHECKSUMS_POS_VERSION = 4,
    CHECKSUMS_POS_LOG_SIZE = 8,
    CHECKSUMS_POS_COUNT = 16,
    CHECKSUMS_POS_OWNER = 20,
    CHECKSUMS_POS_FINAL = 24,
    CHECKSUMS_POS_CRC = 28,
    CHECKSUMS_HEADER_SIZE = 32,
    CHECKSUMS_ENTRY_SIZE = 8,
    CHECKSUMS_SEAL_SIZE = 12,
    CHECKSUMS_VERSION = 2,
    CHECKSUMS_WALK_SIZE = 256 << 10, /* bytes that headers are read through */
};

uint32_t checksums_owner(struct uuid topic_id, int32_t partition)
{
    uint8_t number[4];
    bytes_put_u32(number, (uint32_t)partition);
    return crc32c(crc32c(0, topic_id.bytes, sizeof(topic_id.bytes)), number, sizeof(number));
}

static char *checksums_path(const struct checksums_place *place)
{
    return segment_path(place->dir, place->base, CHECKSUMS_SUFFIX);
}

/* Begins with where the file belongs, which is not in it. */
static uint32_t checksums_begin(const struct checksums_place *place)
{
    uint8_t base[8];
    bytes_put_u64(base, (uint64_t)place->base);
    return crc32c(0, base, sizeof(base));
}

/* Of a whole sidecar. */
static uint32_t checksums_crc(const struct checksums_place *place, const struct buffer *bytes)
{
    uint32_t crc = checksums_begin(place);
    crc =
        crc32c(crc, bytes->data + CHECKSUMS_POS_VERSION, CHECKSUMS_POS_CRC - CHECKSUMS_POS_VERSION);
    return crc32c(crc, bytes->data + CHECKSUMS_HEADER_SIZE, bytes->size - CHECKSUMS_HEADER_SIZE);
}

uint32_t checksums_of_head(uint32_t pos, const uint8_t *batch)
{
    uint8_t at[4];
    bytes_put_u32(at, pos);
    return crc32c(crc32c(0, at, sizeof(at)), batch, BATCH_POS_ATTRIBUTES);
}

/* Whether the header is one of this partition; otherwise unchecked. */
static bool checksums_parse(const struct checksums_place *place, const uint8_t *at,
    uint64_t file_size, uint32_t *ret_count, uint64_t *ret_log_size)
{
    if (memcmp(at, "ODCS", 4) != 0 ||
        bytes_get_u32(at + CHECKSUMS_POS_VERSION) != CHECKSUMS_VERSION ||
        bytes_get_u32(at + CHECKSUMS_POS_OWNER) != place->owner)
        return false;
    *ret_log_size = bytes_get_u64(at + CHECKSUMS_POS_LOG_SIZE);
    *ret_count = bytes_get_u32(at + CHECKSUMS_POS_COUNT);
    return *ret_count <= CHECKSUMS_BATCHES_MAX && *ret_log_size <= SEGMENT_SIZE_MAX &&
           file_size == CHECKSUMS_HEADER_SIZE + (uint64_t)*ret_count * CHECKSUMS_ENTRY_SIZE;
}

static struct checksums_entry checksums_entry_parse(const uint8_t *at)
{
    return (struct checksums_entry){bytes_get_u32(at), bytes_get_u32(at + 4)};
}

int checksums_load(const struct checksums_place *place, struct checksums **ret_checksums)
{
    _cleanup_(freep) char *path = checksums_path(place);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    uint32_t count, crc;
    uint64_t log_size;
    int r = small_file_read(place->env, path,
        CHECKSUMS_HEADER_SIZE + (size_t)CHECKSUMS_BATCHES_MAX * CHECKSUMS_ENTRY_SIZE, &bytes);
    if (r == -ENOENT || r == SMALL_FILE_E_TOO_LARGE)
        return CHECKSUMS_E_NONE;
    if (r < 0)
        return error_trace(r);
    if (bytes.size < CHECKSUMS_HEADER_SIZE ||
        !checksums_parse(place, bytes.data, bytes.size, &count, &log_size))
        return CHECKSUMS_E_NONE;
    crc = bytes_get_u32(bytes.data + CHECKSUMS_POS_CRC);
    if (crc != checksums_crc(place, &bytes))
        return CHECKSUMS_E_NONE;
    struct checksums *checksums =
        xcalloc(1, sizeof(*checksums) + count * sizeof(struct checksums_entry));
    checksums->log_size = log_size;
    checksums->count = count;
    checksums->crc = crc;
    checksums->final = bytes_get_u32(bytes.data + CHECKSUMS_POS_FINAL) != 0;
    const uint8_t *at = bytes.data + CHECKSUMS_HEADER_SIZE;
    for (uint32_t i = 0; i < count; i++, at += CHECKSUMS_ENTRY_SIZE)
        checksums->entries[i] = checksums_entry_parse(at);
    *ret_checksums = checksums;
    return 0;
}

/* --- the seal --- */

static void seal_print(const struct checksums_place *place, uint32_t crc, uint8_t *at)
{
    memcpy(at, "ODSL", 4);
    bytes_put_u32(at + 4, crc);
    bytes_put_u32(at + 8, crc32c(checksums_begin(place), at, 8));
}

bool checksums_sealed(const struct checksums_place *place, const struct checksums *checksums)
{
    _cleanup_(freep) char *path = segment_path(place->dir, place->base, CHECKSUMS_SEAL_SUFFIX);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    uint8_t expected[CHECKSUMS_SEAL_SIZE];
    seal_print(place, checksums->crc, expected);
    return small_file_read(place->env, path, CHECKSUMS_SEAL_SIZE, &bytes) == 0 &&
           bytes.size == sizeof(expected) && memcmp(bytes.data, expected, sizeof(expected)) == 0;
}

static int seal_write(const struct checksums_place *place, uint32_t crc)
{
    _cleanup_(freep) char *path = segment_path(place->dir, place->base, CHECKSUMS_SEAL_SUFFIX);
    uint8_t bytes[CHECKSUMS_SEAL_SIZE];
    seal_print(place, crc, bytes);
    return error_trace(
        small_file_write_unsynced(place->env, path, slice_make(bytes, sizeof(bytes))));
}

/* --- making one --- */

static void checksums_add(struct buffer *bytes, uint32_t pos, uint32_t crc)
{
    uint8_t *at = buffer_reserve(bytes, CHECKSUMS_ENTRY_SIZE);
    bytes_put_u32(at, pos);
    bytes_put_u32(at + 4, crc);
    bytes->size += CHECKSUMS_ENTRY_SIZE;
}

static int checksums_collect(struct file *file, uint64_t log_size, const struct checksums *before,
    struct buffer *bytes, uint32_t *ret_count)
{
    struct walk walk;
    struct batch_header header;
    const uint8_t *head;
    uint32_t count = before == NULL ? 0 : before->count;
    uint64_t pos = before == NULL ? 0 : before->log_size;
    for (uint32_t i = 0; i < count; i++)
        checksums_add(bytes, before->entries[i].pos, before->entries[i].crc);
    _cleanup_(freep) uint8_t *lent = xmalloc(CHECKSUMS_WALK_SIZE);
    walk_init(&walk, file, log_size);
    walk_lend(&walk, lent, CHECKSUMS_WALK_SIZE);
    for (; pos < log_size; pos += batch_size(&header)) {
        int r = walk_header(&walk, pos, &header, &head);
        if (r != 0 || ++count > CHECKSUMS_BATCHES_MAX)
            return r < 0 ? r : CHECKSUMS_E_NONE;
        checksums_add(bytes, (uint32_t)pos, checksums_of_head((uint32_t)pos, head));
    }
    *ret_count = count;
    return 0;
}

int checksums_make(const struct checksums_place *place, struct file *file, uint64_t log_size,
    const struct checksums *before, bool final, bool seal)
{
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    uint32_t count;
    assert(log_size <= SEGMENT_SIZE_MAX && (before == NULL || before->log_size <= log_size));
    memset(buffer_reserve(&bytes, CHECKSUMS_HEADER_SIZE), 0, CHECKSUMS_HEADER_SIZE);
    bytes.size = CHECKSUMS_HEADER_SIZE;
    int r = checksums_collect(file, log_size, before, &bytes, &count);
    if (r != 0)
        return r;
    memcpy(bytes.data, "ODCS", 4);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_VERSION, CHECKSUMS_VERSION);
    bytes_put_u64(bytes.data + CHECKSUMS_POS_LOG_SIZE, log_size);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_COUNT, count);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_OWNER, place->owner);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_FINAL, final);
    uint32_t crc = checksums_crc(place, &bytes);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_CRC, crc);
    _cleanup_(freep) char *path = checksums_path(place);
    r = small_file_write_unsynced(place->env, path, buffer_slice(&bytes));
    if (r >= 0 && seal)
        r = seal_write(place, crc);
    return error_trace(r);
}

int checksums_unlink(const struct checksums_place *place)
{
    _cleanup_(freep) char *path = checksums_path(place);
    _cleanup_(freep) char *seal = segment_path(place->dir, place->base, CHECKSUMS_SEAL_SUFFIX);
    int r = place->env->ops->path_unlink(place->env, path);
    if (r >= 0 || r == -ENOENT)
        r = place->env->ops->path_unlink(place->env, seal);
    return r == -ENOENT ? 0 : error_trace(r);
}

/* --- a few at a time --- */

int checksums_open(const struct checksums_place *place, struct checksums_file *ret_file)
{
    _cleanup_(freep) char *path = checksums_path(place);
    struct env *env = place->env;
    uint8_t header[CHECKSUMS_HEADER_SIZE];
    struct env_stat stat;
    int fd = env->ops->file_open(env, path, ENV_OPEN_READ);
    if (fd < 0)
        return fd == -ENOENT ? CHECKSUMS_E_NONE : error_trace(fd);
    *ret_file = (struct checksums_file){env, fd, 0, 0, false};
    if (env->ops->file_stat(env, fd, &stat) >= 0 &&
        env->ops->file_pread(env, fd, header, sizeof(header), 0) == sizeof(header) &&
        checksums_parse(place, header, stat.size, &ret_file->count, &ret_file->log_size)) {
        ret_file->final = bytes_get_u32(header + CHECKSUMS_POS_FINAL) != 0;
        return 0;
    }
    checksums_close(ret_file);
    return CHECKSUMS_E_NONE;
}

void checksums_close(struct checksums_file *file)
{
    file->env->ops->file_close(file->env, file->fd);
}

bool checksums_read(
    struct checksums_file *file, uint32_t index, struct checksums_entry *entries, uint32_t count)
{
    uint8_t bytes[64 * CHECKSUMS_ENTRY_SIZE];
    while (count > 0) {
        uint32_t n = count < 64 ? count : 64;
        size_t size = n * (size_t)CHECKSUMS_ENTRY_SIZE;
        uint64_t pos = CHECKSUMS_HEADER_SIZE + (uint64_t)index * CHECKSUMS_ENTRY_SIZE;
        if (index > file->count || n > file->count - index ||
            file->env->ops->file_pread(file->env, file->fd, bytes, size, pos) != (ssize_t)size)
            return false;
        for (uint32_t i = 0; i < n; i++)
            *entries++ = checksums_entry_parse(bytes + i * (size_t)CHECKSUMS_ENTRY_SIZE);
        index += n;
        count -= n;
    }
    return true;
}

int checksums_find(struct checksums_file *file, uint32_t pos, uint32_t *ret_index)
{
    uint32_t low = 0, high = file->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct checksums_entry entry;
        if (!checksums_read(file, middle, &entry, 1))
            return 1;
        if (entry.pos == pos) {
            *ret_index = middle;
            return 0;
        }
        if (entry.pos < pos)
            low = middle + 1;
        else
            high = middle;
    }
    return 1;
}

int checksums_fit_end(const struct checksums_place *place, struct file *log, uint64_t log_size)
{
    struct checksums_file sums;
    struct checksums_entry last;
    int r = checksums_open(place, &sums);
    if (r != 0)
        return r < 0 ? r : 0;
    bool known = sums.count > 0 && checksums_read(&sums, sums.count - 1, &last, 1);
    checksums_close(&sums);
    if (!known)
        return 0;
    uint8_t head[BATCH_HEADER_SIZE];
    if (log_size < sums.log_size || (sums.final && log_size > sums.log_size))
        return 1;
    ssize_t n = log->env->ops->file_pread(log->env, log->fd, head, sizeof(head), last.pos);
    if (n < 0)
        return error_trace((int)n);
    return (size_t)n < sizeof(head) || checksums_of_head(last.pos, head) != last.crc;
}
