// SPDX-License-Identifier: BSD-2-Clause
/*
 * journal = header entry*
 * header  = "ODMJ" u32 version = 1  u64 0
 * entry   = "ODME" u32 size  u32 crc32c(payload)  payload of size bytes
 * payload = u64 seq  u32 count  (u8 type  u64 version  u32 size key  [u32 size value])*
 *
 * An entry is synced before the next one is written, and what is found at a start before it is
 * used. So an entry that is damaged with nothing valid behind it is a torn tail that nobody was
 * told of, and is cut; with a valid entry behind it it is rot, and the journal is refused: going on
 * would forget or resurrect topics.
 */
#include "store/meta/meta_journal.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "base/small_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

enum {
    JOURNAL_HEADER_SIZE = 16,
    ENTRY_POS_SIZE = 4,
    ENTRY_POS_CRC = 8,
    ENTRY_HEADER_SIZE = 12,
    PAYLOAD_HEADER_SIZE = 12,
    JOURNAL_VERSION = 1,
};
#define JOURNAL_SIZE_MAX (1U << 30)

/* --- entries --- */

void meta_entry_begin(struct buffer *buffer, uint64_t seq)
{
    uint8_t *at = buffer_reserve(buffer, ENTRY_HEADER_SIZE + PAYLOAD_HEADER_SIZE);
    memset(at, 0, ENTRY_HEADER_SIZE + PAYLOAD_HEADER_SIZE);
    memcpy(at, "ODME", 4);
    bytes_put_u64(at + ENTRY_HEADER_SIZE, seq);
    buffer->size += ENTRY_HEADER_SIZE + PAYLOAD_HEADER_SIZE;
}

static void meta_entry_add_slice(struct buffer *buffer, struct slice s)
{
    bytes_put_u32(buffer_reserve(buffer, 4), (uint32_t)s.size);
    buffer->size += 4;
    buffer_append_slice(buffer, s);
}

void meta_entry_add(struct buffer *buffer, size_t begun_at, const struct meta_change *change)
{
    uint8_t *at = buffer_reserve(buffer, 9);
    at[0] = (uint8_t)change->type;
    bytes_put_u64(at + 1, change->version);
    buffer->size += 9;
    meta_entry_add_slice(buffer, change->key);
    if (change->type == META_PUT)
        meta_entry_add_slice(buffer, change->value);
    uint8_t *count = buffer->data + begun_at + ENTRY_HEADER_SIZE + 8;
    bytes_put_u32(count, bytes_get_u32(count) + 1);
}

void meta_entry_end(struct buffer *buffer, size_t begun_at)
{
    size_t size = buffer->size - begun_at - ENTRY_HEADER_SIZE;
    uint8_t *at = buffer->data + begun_at;
    assert(size < JOURNAL_SIZE_MAX);
    bytes_put_u32(at + ENTRY_POS_SIZE, (uint32_t)size);
    bytes_put_u32(at + ENTRY_POS_CRC, crc32c(0, at + ENTRY_HEADER_SIZE, size));
}

/* --- reading --- */

static bool take_slice(struct slice *from, struct slice *ret)
{
    if (from->size < 4)
        return false;
    size_t size = bytes_get_u32(from->data);
    if (size > from->size - 4)
        return false;
    *ret = slice_make(from->data + 4, size);
    *from = slice_make(from->data + 4 + size, from->size - 4 - size);
    return true;
}

static bool take_change(struct slice *from, struct meta_change *ret_change)
{
    if (from->size < 9 || from->data[0] > META_DELETE)
        return false;
    ret_change->type = (enum meta_op_type)from->data[0];
    ret_change->version = bytes_get_u64(from->data + 1);
    ret_change->value = SLICE_NULL;
    *from = slice_make(from->data + 9, from->size - 9);
    return take_slice(from, &ret_change->key) &&
           (ret_change->type == META_DELETE || take_slice(from, &ret_change->value));
}

/* fn may be NULL: only look. */
static bool payload_walk(struct slice payload, meta_journal_fn fn, void *ctx)
{
    if (payload.size < PAYLOAD_HEADER_SIZE)
        return false;
    uint64_t seq = bytes_get_u64(payload.data);
    uint32_t count = bytes_get_u32(payload.data + 8);
    struct slice rest =
        slice_make(payload.data + PAYLOAD_HEADER_SIZE, payload.size - PAYLOAD_HEADER_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        struct meta_change change;
        if (!take_change(&rest, &change))
            return false;
        if (fn != NULL)
            fn(ctx, seq, &change);
    }
    return rest.size == 0;
}

/* The size of the valid entry at `pos`, or 0. */
static size_t entry_valid(struct slice bytes, size_t pos, struct slice *ret_payload)
{
    const uint8_t *at = bytes.data + pos;
    size_t left = bytes.size - pos;
    if (left < ENTRY_HEADER_SIZE || memcmp(at, "ODME", 4) != 0)
        return 0;
    size_t size = bytes_get_u32(at + ENTRY_POS_SIZE);
    if (size > left - ENTRY_HEADER_SIZE)
        return 0;
    struct slice payload = slice_make(at + ENTRY_HEADER_SIZE, size);
    if (crc32c(0, payload.data, size) != bytes_get_u32(at + ENTRY_POS_CRC) ||
        !payload_walk(payload, NULL, NULL))
        return 0;
    *ret_payload = payload;
    return ENTRY_HEADER_SIZE + size;
}

/* Where the next valid entry is; 0: nowhere. */
static size_t entry_find(struct slice bytes, size_t pos)
{
    struct slice payload;
    while (pos < bytes.size) {
        const uint8_t *at = memmem(bytes.data + pos, bytes.size - pos, "ODME", 4);
        if (at == NULL)
            return 0;
        pos = (size_t)(at - bytes.data);
        if (entry_valid(bytes, pos, &payload) > 0)
            return pos;
        pos++;
    }
    return 0;
}

static int journal_damaged(struct meta_journal *journal, size_t pos, const char *what)
{
    log_error("meta.damaged",
        "file=%s pos=%zu reason=\"%s\" text=\"the list of topics cannot be trusted; restore the file "
        "from a copy, or move it away to start without topics (their data stays)\"",
        journal->path, pos, what);
    return -EBADMSG;
}

static int journal_load(
    struct meta_journal *journal, struct slice bytes, meta_journal_fn fn, void *ctx)
{
    size_t pos = JOURNAL_HEADER_SIZE;
    if (bytes.size < JOURNAL_HEADER_SIZE || memcmp(bytes.data, "ODMJ", 4) != 0)
        return journal_damaged(journal, 0, "this is no journal");
    if (bytes_get_u32(bytes.data + 4) != JOURNAL_VERSION)
        return journal_damaged(journal, 4, "its version is not known");
    while (pos < bytes.size) {
        struct slice payload;
        size_t size = entry_valid(bytes, pos, &payload);
        if (size == 0)
            break;
        payload_walk(payload, fn, ctx);
        pos += size;
    }
    journal->size = pos;
    if (pos == bytes.size)
        return 0;
    if (entry_find(bytes, pos + 1) != 0)
        return journal_damaged(journal, pos, "an entry is damaged, those behind it are not");
    log_warn("meta.tail_cut", "file=%s pos=%zu size=%zu", journal->path, pos, bytes.size - pos);
    struct env *env = journal->env;
    return error_trace(env->ops->file_truncate(env, journal->fd, pos));
}

static int journal_open_file(struct meta_journal *journal)
{
    journal->fd = journal->env->ops->file_open(journal->env, journal->path, ENV_OPEN_WRITE);
    return journal->fd < 0 ? journal->fd : 0;
}

/* What a killed process left in the page cache counts from here on, and is told to clients: it, and
 * its names, must not go with the next power failure. */
static int journal_settle(struct meta_journal *journal, const char *meta_dir)
{
    struct env *env = journal->env;
    int r = env->ops->file_sync(env, journal->fd);
    if (r == 0)
        r = env->ops->dir_sync(env, meta_dir);
    if (r == 0)
        r = env->ops->dir_sync(env, journal->dir);
    return error_trace(r);
}

int meta_journal_open(
    struct meta_journal *journal, struct env *env, const char *dir, meta_journal_fn fn, void *ctx)
{
    _cleanup_(freep) char *meta_dir = xasprintf("%s/meta", dir);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    *journal = (struct meta_journal){
        .env = env, .dir = xstrdup(dir), .path = xasprintf("%s/journal", meta_dir), .fd = -1};
    int r = journal_open_file(journal);
    if (r == -ENOENT) {
        journal->absent = true;
        return 0;
    }
    if (r == 0)
        r = small_file_read(env, journal->path, JOURNAL_SIZE_MAX, &bytes);
    if (r == SMALL_FILE_E_TOO_LARGE)
        return journal_damaged(journal, 0, "it is too large");
    if (r < 0)
        return error_trace(r);
    r = journal_load(journal, buffer_slice(&bytes), fn, ctx);
    return r < 0 ? r : journal_settle(journal, meta_dir);
}

void meta_journal_close(struct meta_journal *journal)
{
    if (journal->fd >= 0)
        journal->env->ops->file_close(journal->env, journal->fd);
    free(journal->dir);
    free(journal->path);
    journal->fd = -1;
    journal->dir = journal->path = NULL;
}

int meta_journal_append(struct meta_journal *journal, struct slice entry)
{
    struct env *env = journal->env;
    if (journal->absent) {
        int made = meta_journal_replace(journal, SLICE_NULL);
        if (made < 0)
            return made;
    }
    assert(journal->fd >= 0);
    struct iovec iov = {(void *)(uintptr_t)entry.data, entry.size};
    int r = env->ops->file_pwritev(env, journal->fd, &iov, 1, journal->size);
    if (r >= 0)
        r = env->ops->file_sync(env, journal->fd);
    if (r < 0) {
        env->ops->file_close(env, journal->fd);
        journal->fd = -1;
        return error_trace(r);
    }
    journal->size += entry.size;
    return 0;
}

/* The directory of the journal, before its first file. */
static int journal_make_dir(struct meta_journal *journal)
{
    struct env *env = journal->env;
    _cleanup_(freep) char *meta_dir = xasprintf("%s/meta", journal->dir);
    int r = env->ops->dir_make(env, meta_dir);
    if (r == 0)
        r = env->ops->dir_sync(env, journal->dir);
    return r == -EEXIST ? 0 : r;
}

int meta_journal_replace(struct meta_journal *journal, struct slice entries)
{
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    uint8_t *at = buffer_reserve(&bytes, JOURNAL_HEADER_SIZE);
    memset(at, 0, JOURNAL_HEADER_SIZE);
    memcpy(at, "ODMJ", 4);
    bytes_put_u32(at + 4, JOURNAL_VERSION);
    bytes.size = JOURNAL_HEADER_SIZE;
    buffer_append_slice(&bytes, entries);
    if (journal->fd >= 0)
        journal->env->ops->file_close(journal->env, journal->fd);
    journal->fd = -1;
    int r = journal->absent ? journal_make_dir(journal) : 0;
    if (r == 0)
        r = small_file_write(journal->env, journal->path, buffer_slice(&bytes));
    if (r == 0)
        r = journal_open_file(journal);
    if (r < 0)
        return error_trace(r);
    journal->absent = false;
    journal->size = bytes.size;
    return 0;
}
