// SPDX-License-Identifier: BSD-2-Clause
/*
 *   "ODCS"  uint32 version = 1  uint64 size of the log  uint32 count  uint32 CRC32C(entries)
 *   count times: uint32 position  uint32 CRC32C(position, first 21 bytes of the batch)
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
    CHECKSUMS_POS_CRC = 20,
    CHECKSUMS_HEADER_SIZE = 24,
    CHECKSUMS_ENTRY_SIZE = 8,
    CHECKSUMS_VERSION = 1,
    CHECKSUMS_WALK_SIZE = 256 << 10, /* bytes that headers are read through */
};

uint32_t checksums_of_head(uint32_t pos, const uint8_t *batch)
{
    uint8_t at[4];
    bytes_put_u32(at, pos);
    return crc32c(crc32c(0, at, sizeof(at)), batch, BATCH_POS_ATTRIBUTES);
}

/* Whether the header is one of a log of that size; its count otherwise unchecked. */
static bool checksums_parse(
    const uint8_t *at, uint64_t file_size, uint64_t log_size, uint32_t *ret_count)
{
    if (memcmp(at, "ODCS", 4) != 0 ||
        bytes_get_u32(at + CHECKSUMS_POS_VERSION) != CHECKSUMS_VERSION ||
        bytes_get_u64(at + CHECKSUMS_POS_LOG_SIZE) != log_size)
        return false;
    *ret_count = bytes_get_u32(at + CHECKSUMS_POS_COUNT);
    return *ret_count <= CHECKSUMS_BATCHES_MAX &&
           file_size == CHECKSUMS_HEADER_SIZE + (uint64_t)*ret_count * CHECKSUMS_ENTRY_SIZE;
}

static struct checksums_entry checksums_entry_parse(const uint8_t *at)
{
    return (struct checksums_entry){bytes_get_u32(at), bytes_get_u32(at + 4)};
}

int checksums_load(struct env *env, const char *dir, int64_t base, uint64_t log_size,
    struct checksums **ret_checksums)
{
    _cleanup_(freep) char *path = segment_path(dir, base, CHECKSUMS_SUFFIX);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    uint32_t count;
    int r = small_file_read(env, path,
        CHECKSUMS_HEADER_SIZE + (size_t)CHECKSUMS_BATCHES_MAX * CHECKSUMS_ENTRY_SIZE, &bytes);
    if (r == -ENOENT || r == SMALL_FILE_E_TOO_LARGE)
        return CHECKSUMS_E_NONE;
    if (r < 0)
        return error_trace(r);
    if (bytes.size < CHECKSUMS_HEADER_SIZE ||
        !checksums_parse(bytes.data, bytes.size, log_size, &count))
        return CHECKSUMS_E_NONE;
    const uint8_t *at = bytes.data + CHECKSUMS_HEADER_SIZE;
    if (bytes_get_u32(bytes.data + CHECKSUMS_POS_CRC) !=
        crc32c(0, at, (size_t)count * CHECKSUMS_ENTRY_SIZE))
        return CHECKSUMS_E_NONE;
    struct checksums *checksums =
        xcalloc(1, sizeof(*checksums) + count * sizeof(struct checksums_entry));
    checksums->log_size = log_size;
    checksums->count = count;
    for (uint32_t i = 0; i < count; i++, at += CHECKSUMS_ENTRY_SIZE)
        checksums->entries[i] = checksums_entry_parse(at);
    *ret_checksums = checksums;
    return 0;
}

static int checksums_collect(struct file *file, uint64_t log_size, struct buffer *bytes)
{
    struct walk walk;
    struct batch_header header;
    const uint8_t *head;
    uint32_t count = 0;
    _cleanup_(freep) uint8_t *lent = xmalloc(CHECKSUMS_WALK_SIZE);
    walk_init(&walk, file, log_size);
    walk_lend(&walk, lent, CHECKSUMS_WALK_SIZE);
    for (uint64_t pos = 0; pos < log_size; pos += batch_size(&header)) {
        int r = walk_header(&walk, pos, &header, &head);
        if (r != 0 || ++count > CHECKSUMS_BATCHES_MAX)
            return r < 0 ? r : CHECKSUMS_E_NONE;
        uint8_t *at = buffer_reserve(bytes, CHECKSUMS_ENTRY_SIZE);
        bytes_put_u32(at, (uint32_t)pos);
        bytes_put_u32(at + 4, checksums_of_head((uint32_t)pos, head));
        bytes->size += CHECKSUMS_ENTRY_SIZE;
    }
    return 0;
}

int checksums_make(struct file *file, const char *dir, int64_t base, uint64_t log_size)
{
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    assert(log_size <= SEGMENT_SIZE_MAX);
    uint8_t *header = buffer_reserve(&bytes, CHECKSUMS_HEADER_SIZE);
    memset(header, 0, CHECKSUMS_HEADER_SIZE);
    bytes.size = CHECKSUMS_HEADER_SIZE;
    int r = checksums_collect(file, log_size, &bytes);
    if (r != 0)
        return r;
    size_t size = bytes.size - CHECKSUMS_HEADER_SIZE;
    memcpy(bytes.data, "ODCS", 4);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_VERSION, CHECKSUMS_VERSION);
    bytes_put_u64(bytes.data + CHECKSUMS_POS_LOG_SIZE, log_size);
    bytes_put_u32(bytes.data + CHECKSUMS_POS_COUNT, (uint32_t)(size / CHECKSUMS_ENTRY_SIZE));
    bytes_put_u32(
        bytes.data + CHECKSUMS_POS_CRC, crc32c(0, bytes.data + CHECKSUMS_HEADER_SIZE, size));
    _cleanup_(freep) char *path = segment_path(dir, base, CHECKSUMS_SUFFIX);
    return error_trace(small_file_write_unsynced(file->env, path, buffer_slice(&bytes)));
}

int checksums_unlink(struct env *env, const char *dir, int64_t base)
{
    _cleanup_(freep) char *path = segment_path(dir, base, CHECKSUMS_SUFFIX);
    int r = env->ops->path_unlink(env, path);
    return r == -ENOENT ? 0 : error_trace(r);
}

/* --- a few at a time --- */

int checksums_open(struct env *env, const char *dir, int64_t base, uint64_t log_size,
    struct checksums_file *ret_file)
{
    _cleanup_(freep) char *path = segment_path(dir, base, CHECKSUMS_SUFFIX);
    uint8_t header[CHECKSUMS_HEADER_SIZE];
    struct env_stat stat;
    int fd = env->ops->file_open(env, path, ENV_OPEN_READ);
    if (fd < 0)
        return fd == -ENOENT ? CHECKSUMS_E_NONE : error_trace(fd);
    *ret_file = (struct checksums_file){env, fd, 0};
    if (env->ops->file_stat(env, fd, &stat) >= 0 &&
        env->ops->file_pread(env, fd, header, sizeof(header), 0) == sizeof(header) &&
        checksums_parse(header, stat.size, log_size, &ret_file->count))
        return 0;
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
