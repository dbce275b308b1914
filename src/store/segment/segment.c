// SPDX-License-Identifier: BSD-2-Clause
#include "store/segment/segment.h"

#include "base/canary.h"
#include "base/bytes.h"
#include "base/error.h"
#include "store/integrity/checksums.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define SEGMENT_NAME_DIGITS 20

static void segment_free(struct ref *ref)
{
    struct segment *segment = container_of(ref, struct segment, ref);
    assert(!list_linked(&segment->link) && !list_linked(&segment->index_link));
    files_close(segment->files, &segment->slot);
    index_unref(segment->index);
    free(segment);
}

struct segment *segment_new(struct files *files, int64_t base)
{
    assert(base >= 0);
    struct segment *segment = xnew(struct segment);
    ref_init(&segment->ref, segment_free);
    segment->files = files;
    segment->base = segment->end = segment->synced_end = base;
    segment->first_timestamp = segment->max_timestamp = -1;
    return segment;
}

void segment_unref(struct segment *segment)
{
    if (segment != NULL)
        ref_put(&segment->ref);
}

char *segment_path(const char *dir, int64_t base, const char *suffix)
{
    return xasprintf("%s/%020" PRId64 "%s", dir, base, suffix);
}

bool segment_parse_name(const char *name, const char *suffix, int64_t *ret_base)
{
    int64_t base = 0;
    for (unsigned i = 0; i < SEGMENT_NAME_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9' || base > (INT64_MAX - 9) / 10)
            return false;
        base = base * 10 + (name[i] - '0');
    }
    if (strcmp(name + SEGMENT_NAME_DIGITS, suffix) != 0)
        return false;
    *ret_base = base;
    return true;
}

int segment_open(struct segment *segment, const char *dir, struct file **ret_file)
{
    struct file *file = files_get(segment->files, &segment->slot);
    if (file != NULL) {
        *ret_file = file;
        return 0;
    }
    _cleanup_(freep) char *path = segment_path(dir, segment->base, ".log");
    return files_open(segment->files, &segment->slot, path, ENV_OPEN_WRITE, ret_file);
}

int segment_unlink(struct env *env, const char *dir, int64_t base)
{
    static const char *const suffixes[] = {
        ".log", ".index", ".timeindex", ".txnindex", CHECKSUMS_SUFFIX, CHECKSUMS_SEAL_SUFFIX};
    int result = 0;
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        _cleanup_(freep) char *path = segment_path(dir, base, suffixes[i]);
        int r = env->ops->path_unlink(env, path);
        if (r < 0 && r != -ENOENT && result == 0)
            result = r;
    }
    return error_trace(result);
}

void walk_init(struct walk *walk, struct file *file, uint64_t end)
{
    walk->file = file;
    walk->end = end;
    walk_lend(walk, walk->own, sizeof(walk->own));
}

void walk_lend(struct walk *walk, uint8_t *buffer, size_t capacity)
{
    assert(capacity >= WALK_BUFFER_SIZE);
    walk->buffer = buffer;
    walk->capacity = capacity;
    walk->ahead = WALK_BUFFER_SIZE;
    walk->buffer_pos = 0;
    walk->buffer_size = 0;
}

int walk_bytes(struct walk *walk, uint64_t pos, size_t size, const uint8_t **ret_bytes)
{
    assert(size <= walk->capacity);
    if (pos < walk->buffer_pos || pos + size > walk->buffer_pos + walk->buffer_size) {
        uint64_t left = walk->end - pos;
        size_t want = size > walk->ahead ? size : walk->ahead;
        struct env *env = walk->file->env;
        if (left < want)
            want = (size_t)left;
        walk->buffer_size = 0;
        ssize_t n = env->ops->file_pread(env, walk->file->fd, walk->buffer, want, pos);
        if (n < 0)
            return error_trace((int)n);
        walk->buffer_pos = pos;
        walk->buffer_size = (size_t)n;
        if ((size_t)n < size)
            return WALK_E_BAD; /* the file is shorter than it should be */
    }
    *ret_bytes = walk->buffer + (pos - walk->buffer_pos);
    return 0;
}

int walk_header(
    struct walk *walk, uint64_t pos, struct batch_header *ret_header, const uint8_t **ret_bytes)
{
    if (pos == walk->end)
        return WALK_E_END;
    if (pos > walk->end || walk->end - pos < BATCH_HEADER_SIZE)
        return WALK_E_BAD;
    const uint8_t *at;
    int r = walk_bytes(walk, pos, BATCH_HEADER_SIZE, &at);
    if (r != 0)
        return r;
    struct batch_header header = batch_header_parse(at);
    if (!batch_header_sane(&header) || header.base_offset < 0 ||
        header.base_offset > INT64_MAX - INT32_MAX || batch_size(&header) > walk->end - pos)
        return WALK_E_BAD;
    walk->ahead = batch_size(&header) < walk->capacity / 16 ? walk->capacity : WALK_BUFFER_SIZE;
    *ret_header = header;
    if (ret_bytes != NULL)
        *ret_bytes = at;
    return 0;
}

/* As walk_header, and the batch must be the one that the anchor names. */
static int walk_anchor(
    struct walk *walk, const struct anchor *anchor, uint64_t pos, struct batch_header *ret_header)
{
    int r = walk_header(walk, pos, ret_header, NULL);
    if (r < 0 || pos != anchor->pos || anchor->last_offset < 0)
        return r;
    if (r == 0 && canary(STALE_INDEX))
        return 0;
    return r == 0 && batch_last_offset(ret_header) == anchor->last_offset ? 0 : RANGE_E_ANCHOR;
}

/* The first batch that ends at or behind the offset and is wanted. 0, WALK_E_*, RANGE_E_ANCHOR or
 * -errno. */
static int range_find_start(struct walk *walk, const struct range_query *query, uint64_t *ret_pos,
    struct batch_header *ret_header)
{
    struct batch_header header;
    for (uint64_t pos = query->start.pos;; pos += batch_size(&header)) {
        int r = walk_anchor(walk, &query->start, pos, &header);
        if (r != 0)
            return r;
        if (batch_last_offset(&header) >= query->offset &&
            (header.records_count != 0 || !query->skip_empty)) {
            *ret_pos = pos;
            *ret_header = header;
            return 0;
        }
    }
}

/* The greatest batch boundary that respects size and bound. Damage on the way ends the range before
 * it; whoever reads on meets it. */
static int range_find_end(
    struct walk *walk, const struct range_query *query, uint64_t start, uint64_t *ret_end)
{
    uint64_t limit = start + query->size_max;
    uint64_t pos = query->jump.pos > start && query->jump.pos <= limit ? query->jump.pos : start;
    for (;;) {
        struct batch_header header;
        int r = walk_anchor(walk, &query->jump, pos, &header);
        if (r < 0 || r == RANGE_E_ANCHOR || (r == WALK_E_BAD && pos == start))
            return r;
        if (r != 0 || batch_last_offset(&header) >= query->bound ||
            batch_size(&header) > limit - pos)
            break;
        pos += batch_size(&header);
    }
    *ret_end = pos;
    return 0;
}

int range_find(
    struct file *file, const struct range_query *query, uint64_t *ret_pos, uint64_t *ret_size)
{
    struct walk walk;
    struct batch_header first;
    uint64_t start, end;
    walk_init(&walk, file, query->end);
    int r = range_find_start(&walk, query, &start, &first);
    if (r == WALK_E_END) {
        *ret_pos = query->end;
        *ret_size = 0;
        return 0;
    }
    if (r != 0)
        return r;
    if (query->end_is_bound && query->end - start <= query->size_max) {
        end = query->end;
    } else {
        r = range_find_end(&walk, query, start, &end);
        if (r != 0)
            return r;
    }
    if (end == start && query->one_at_least && batch_last_offset(&first) < query->bound)
        end = start + batch_size(&first);
    *ret_pos = start;
    *ret_size = end - start;
    return 0;
}

static struct anchor range_anchor_at(int64_t base, struct index_offset entry)
{
    return entry.pos == 0 ? (struct anchor){0, -1}
                          : (struct anchor){entry.pos, base + (int64_t)entry.delta};
}

void range_anchor(struct range_query *query, int64_t base, const struct index *index)
{
    struct index_offset from = index_find_delta(index, query->offset - base);
    query->start = range_anchor_at(base, from);
    struct index_offset by_size = index_find_pos(index, (uint64_t)from.pos + query->size_max);
    struct index_offset by_bound = index_find_delta(index, query->bound - 1 - base);
    query->jump = range_anchor_at(base, by_size.pos < by_bound.pos ? by_size : by_bound);
}

int segment_index_build(struct file *file, int64_t base, uint64_t from, uint64_t size,
    uint32_t interval_size, struct index *index)
{
    struct walk walk;
    struct batch_header header;
    walk_init(&walk, file, size);
    for (uint64_t pos = from;; pos += batch_size(&header)) {
        int r = walk_header(&walk, pos, &header, NULL);
        if (r == WALK_E_END)
            return 0;
        if (r != 0)
            return r;
        if (header.base_offset < base || batch_last_offset(&header) - base > INT32_MAX)
            return WALK_E_BAD;
        index_note(index, base, &header, pos, interval_size);
    }
}
