// SPDX-License-Identifier: BSD-2-Clause
/*
 * Happy path: from header to header, each batch's checksum right and its offset following.
 *
 * At a batch that is not so, the question is where the next good one begins. The sidecar says it
 * exactly. Without one: when the header behind it follows, only this batch is damaged; else the
 * next place at which a whole batch with a right checksum lies ends the damage. What lies between
 * is one damage, with the offsets between its good neighbours.
 */
#include "store/integrity/verify.h"

#include "base/crc32c.h"
#include "base/error.h"

#include <assert.h>
#include <errno.h>

#define VERIFY_PIECE_SIZE (256U << 10)

struct verifier {
    struct verify *it;
    const struct checksums *checksums;
    struct walk walk;
    uint8_t *piece;
    uint64_t pos;
    int64_t expected;   /* offset behind the last good batch or known damage */
    unsigned disagreed; /* batches of which the sidecar knows another head */
    unsigned n_open;    /* batches in the last damage, of which each had an offset at least */
    bool open;          /* where the last damage ends is told by the next good batch */
    uint32_t entry;     /* the sidecar's for pos */
};

static void verify_add(struct verify *it, int64_t first, int64_t next, uint64_t pos, uint64_t end)
{
    struct damage *last = it->n_damages == 0 ? NULL : &it->damages[it->n_damages - 1];
    if (last != NULL && (it->n_damages == VERIFY_DAMAGES_MAX || last->end == pos)) {
        last->next = next;
        last->end = end;
        return;
    }
    it->damages = xrealloc(it->damages, (it->n_damages + 1) * sizeof(*it->damages));
    it->damages[it->n_damages++] = (struct damage){it->base, first, next, pos, end, false};
}

/* 0: right, 1: not, -errno. */
static int verify_crc(struct verifier *v, uint64_t pos, const struct batch_header *header)
{
    uint64_t at = pos + BATCH_POS_ATTRIBUTES, end = pos + batch_size(header);
    uint32_t crc = 0;
    while (at < end) {
        size_t size = end - at < VERIFY_PIECE_SIZE ? (size_t)(end - at) : VERIFY_PIECE_SIZE;
        const uint8_t *bytes;
        int r = walk_bytes(&v->walk, at, size, &bytes);
        if (r != 0)
            return r < 0 ? r : 1;
        crc = crc32c(crc, bytes, size);
        at += size;
    }
    return crc == header->crc ? 0 : 1;
}

static bool verify_offsets_fit(const struct verifier *v, const struct batch_header *header)
{
    return header->base_offset >= v->expected && batch_last_offset(header) < v->it->end;
}

/* Whether a good batch has the offsets for its place. */
static bool verify_may_close(const struct verifier *v, const struct batch_header *header)
{
    return verify_offsets_fit(v, header) &&
           (!v->open || header->base_offset - v->expected >= (int64_t)v->n_open);
}

/* A whole, valid batch that may stand behind what is known. 0, 1 or -errno. */
static int verify_at(struct verifier *v, uint64_t pos, struct batch_header *ret_header)
{
    int r = walk_header(&v->walk, pos, ret_header, NULL);
    if (r == 0 && !verify_may_close(v, ret_header))
        r = WALK_E_BAD;
    if (r == 0)
        r = verify_crc(v, pos, ret_header);
    return r < 0 ? r : r != 0;
}

/* Whether a batch that ends at `pos` with this last offset is followed by what should follow. */
static bool verify_followed(struct verifier *v, uint64_t pos, int64_t last)
{
    struct batch_header header;
    if (pos == v->walk.end)
        return v->it->gaps ? last < v->it->end : last + 1 == v->it->end;
    return walk_header(&v->walk, pos, &header, NULL) == 0 &&
           (v->it->gaps ? header.base_offset > last : header.base_offset == last + 1) &&
           batch_last_offset(&header) < v->it->end;
}

/* Behind a break: the next position that begins a good batch, or the end. 0 or -errno. */
static int verify_resync(struct verifier *v, uint64_t *ret_pos, int64_t *ret_next)
{
    struct batch_header header;
    for (uint64_t pos = v->pos + 1; pos + BATCH_HEADER_SIZE <= v->walk.end; pos++) {
        const uint8_t *head;
        int r = walk_bytes(&v->walk, pos, BATCH_HEADER_SIZE, &head);
        if (r < 0)
            return r;
        if (r != 0 || head[BATCH_POS_MAGIC] != 2)
            continue;
        r = verify_at(v, pos, &header);
        if (r < 0)
            return r;
        if (r == 0) {
            *ret_pos = pos;
            *ret_next = header.base_offset;
            return 0;
        }
    }
    *ret_pos = v->walk.end;
    *ret_next = v->it->end;
    return 0;
}

static void verify_step_over(struct verifier *v, int64_t first, int64_t next, uint64_t end)
{
    verify_add(v->it, first, next, v->pos, end);
    v->open = false;
    v->pos = end;
    v->expected = next;
}

/* The batch at v->pos is not as it should be. `r`: what walk_header said of it. */
static int verify_bad(struct verifier *v, int r, const struct batch_header *header)
{
    int64_t count = r == 0 ? (int64_t)header->last_offset_delta + 1 : 0;
    uint64_t end = r == 0 ? v->pos + batch_size(header) : 0;
    /* Its own numbers are right, or (in a log without gaps) all but its base offset. */
    if (r == 0 && verify_may_close(v, header) &&
        verify_followed(v, end, batch_last_offset(header))) {
        int64_t first = v->it->gaps ? header->base_offset : v->expected;
        verify_step_over(v, first, batch_last_offset(header) + 1, end);
        return 0;
    }
    if (r == 0 && !v->it->gaps && v->expected + count <= v->it->end &&
        verify_followed(v, end, v->expected + count - 1)) {
        verify_step_over(v, v->expected, v->expected + count, end);
        return 0;
    }
    int64_t next;
    r = verify_resync(v, &end, &next);
    if (r == 0)
        verify_step_over(v, v->expected, next, end);
    return r;
}

/* The batch at v->pos is good: the damage before it reaches to there. */
static void verify_close(struct verifier *v, const struct batch_header *header)
{
    if (!v->open)
        return;
    v->open = false;
    v->it->damages[v->it->n_damages - 1].next = v->expected = header->base_offset;
}

/* One batch without a sidecar. 0 or -errno. */
static int verify_step(struct verifier *v)
{
    struct batch_header header;
    int r = walk_header(&v->walk, v->pos, &header, NULL);
    if (r < 0)
        return r;
    bool fits = r == 0 && verify_may_close(v, &header);
    int crc = r == 0 ? verify_crc(v, v->pos, &header) : 1;
    if (crc < 0)
        return crc;
    if (!fits || crc != 0)
        return verify_bad(v, r, &header);
    verify_close(v, &header);
    if (!v->it->gaps && header.base_offset != v->expected) {
        /* Either its offset is wrong or batches before it are missing. */
        int64_t last = v->expected + header.last_offset_delta;
        if (verify_followed(v, v->pos + batch_size(&header), last))
            return verify_bad(v, r, &header);
        verify_add(v->it, v->expected, header.base_offset, v->pos, v->pos);
    }
    v->pos += batch_size(&header);
    v->expected = batch_last_offset(&header) + 1;
    return 0;
}

/* One batch by the sidecar, which knows where it ends. Of a batch that is not good, the offsets
 * behind its first one are not to be trusted. 0 or -errno. */
static int verify_step_by_sidecar(struct verifier *v)
{
    const struct checksums *sums = v->checksums;
    uint64_t pos = sums->entries[v->entry].pos;
    uint64_t end = v->entry + 1 < sums->count ? sums->entries[v->entry + 1].pos : sums->log_size;
    struct batch_header header;
    const uint8_t *head;
    end = end < v->walk.end ? end : v->walk.end;
    int r = walk_header(&v->walk, pos, &header, &head);
    bool head_right =
        r == 0 && checksums_of_head((uint32_t)pos, head) == sums->entries[v->entry].crc;
    if (r == 0)
        r = verify_crc(v, pos, &header);
    if (r < 0)
        return r;
    v->entry++;
    v->disagreed += !head_right;
    v->pos = pos;
    if (r == 0 && head_right && verify_may_close(v, &header)) {
        verify_close(v, &header);
        if (!v->it->gaps && header.base_offset != v->expected)
            verify_add(v->it, v->expected, header.base_offset, pos, pos);
        v->expected = batch_last_offset(&header) + 1;
    } else if (!v->open) {
        bool known =
            head_right && header.base_offset > v->expected && verify_offsets_fit(v, &header);
        v->expected = known ? header.base_offset : v->expected;
        verify_add(v->it, v->expected, v->expected, pos, end);
        v->open = true;
        v->n_open = 1;
    } else {
        v->it->damages[v->it->n_damages - 1].end = end;
        v->n_open++;
    }
    v->pos = end;
    return 0;
}

/* Whether what lies behind what the sidecar covers is nothing of this log. */
static bool verify_foreign(const struct verifier *v)
{
    return v->checksums != NULL &&
           (v->checksums->final || (v->disagreed > 1 && v->disagreed > v->checksums->count / 2));
}

static int verify_walk(struct verifier *v)
{
    int r = 0;
    v->pos = 0;
    v->expected = v->it->base;
    v->it->n_damages = 0;
    v->entry = v->disagreed = 0;
    v->open = false;
    while (r == 0 && v->checksums != NULL && v->entry < v->checksums->count &&
           v->checksums->entries[v->entry].pos < v->walk.end)
        r = verify_step_by_sidecar(v);
    if (r == 0 && v->pos < v->walk.end && verify_foreign(v))
        verify_step_over(v, v->expected, v->it->end, v->walk.end);
    while (r == 0 && v->pos < v->walk.end) /* what was written since */
        r = verify_step(v);
    struct damage *last = v->it->n_damages == 0 ? NULL : &v->it->damages[v->it->n_damages - 1];
    if (r != 0)
        return r;
    if (v->open || (v->expected < v->it->end && last != NULL && last->end == v->walk.end))
        last->next = v->it->end;
    else if (v->expected < v->it->end && !v->it->gaps)
        verify_add(v->it, v->expected, v->it->end, v->walk.end, v->walk.end);
    return 0;
}

int verify_segment(struct verify *it)
{
    struct verifier v = {.it = it, .checksums = it->checksums};
    v.piece = xmalloc(VERIFY_PIECE_SIZE);
    it->damages = NULL;
    walk_init(&v.walk, it->file, it->size);
    walk_lend(&v.walk, v.piece, VERIFY_PIECE_SIZE);
    int r = verify_walk(&v);
    free(v.piece);
    if (r != 0) {
        free(steal(&it->damages));
        it->n_damages = 0;
    }
    return error_trace(r);
}

int verify_range(struct file *file, int64_t base, int64_t end, bool gaps, int64_t offset,
    uint64_t pos, uint64_t size, struct checksums_file *checksums)
{
    struct verify it = {.base = base, .end = end, .gaps = gaps};
    struct verifier v = {.it = &it, .pos = pos, .expected = base};
    uint32_t entry = 0;
    int r = checksums == NULL || (pos >= checksums->log_size && !checksums->final)
                ? 0
                : checksums_find(checksums, (uint32_t)pos, &entry);
    if (r != 0)
        return r;
    v.piece = xmalloc(VERIFY_PIECE_SIZE);
    walk_init(&v.walk, file, pos + size);
    walk_lend(&v.walk, v.piece, VERIFY_PIECE_SIZE);
    while (r == 0 && v.pos < v.walk.end) {
        struct batch_header header;
        struct checksums_entry sum;
        const uint8_t *head;
        r = walk_header(&v.walk, v.pos, &header, &head);
        if (r == 0 && checksums != NULL && (v.pos < checksums->log_size || checksums->final) &&
            (!checksums_read(checksums, entry++, &sum, 1) || sum.pos != v.pos ||
                sum.crc != checksums_of_head((uint32_t)v.pos, head)))
            r = 1;
        if (r == 0 && (!verify_offsets_fit(&v, &header) ||
                          (!gaps && (v.pos == pos ? header.base_offset > offset
                                                  : header.base_offset != v.expected))))
            r = 1;
        if (r == 0)
            r = verify_crc(&v, v.pos, &header);
        if (r == 0) {
            v.pos += batch_size(&header);
            v.expected = batch_last_offset(&header) + 1;
        }
    }
    free(v.piece);
    return r < 0 ? error_trace(r) : r != 0;
}
