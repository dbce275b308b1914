// SPDX-License-Identifier: BSD-2-Clause
/*
 * A replay goes over the log in pieces: the pool reads whole batches (or only their headers) of at
 * most a piece's size, the loop visits them, and the next piece is asked for. It ends at the high
 * watermark of its start. Where the chain of headers breaks or a checksum is wrong, the segment is
 * looked at as a whole, what is damaged in it is quarantined, and the walk goes on behind it.
 */
#include "store/part/part.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define REPLAY_PIECE_SIZE        (1U << 20) /* bytes; more only for a single larger batch */
#define REPLAY_PIECE_HEADERS_MAX 4096
#define REPLAY_LOOKS_MAX         2
#define REPLAY_BUFFER_SIZE       (256U << 10) /* bytes that headers are read through */

struct replay_task {
    struct part_task task;
    struct engine_replay *replay;
    bool headers_only;
    enum engine_status refusal; /* ENGINE_OK: the part could be asked */
    int64_t next, end;          /* offsets: where to go on, where to stop */
    /* for one piece */
    struct segment *segment;
    struct index *index;
    bool sealed;
    struct range_query query;
    struct fence fence;
    uint64_t size_all;    /* bytes of the segment */
    struct verify verify; /* result of a look at all of it */
    struct sidecar_wish wish;
    uint64_t trusted_from, trusted_to;
    unsigned looks;       /* in a row, without getting on */
    bool suspect, looked; /* such a look is wanted, was done */
    struct buffer bytes;
};

/* --- on the pool --- */

/* The rest of a control batch whose header is there already. */
static int replay_read_rest(
    struct replay_task *task, struct file *file, uint64_t pos, const struct batch_header *header)
{
    size_t size = batch_size(header) - BATCH_HEADER_SIZE;
    uint8_t *at = buffer_reserve(&task->bytes, size);
    ssize_t n = file->env->ops->file_pread(file->env, file->fd, at, size, pos + BATCH_HEADER_SIZE);
    if (n < 0)
        return error_trace((int)n);
    if ((size_t)n < size)
        return WALK_E_BAD;
    task->bytes.size += size;
    return 0;
}

static int replay_read_headers(struct replay_task *task, struct file *file, uint64_t pos)
{
    struct walk walk;
    _cleanup_(freep) uint8_t *buffer = xmalloc(REPLAY_BUFFER_SIZE);
    walk_init(&walk, file, task->query.end);
    walk_lend(&walk, buffer, REPLAY_BUFFER_SIZE);
    for (unsigned i = 0; i < REPLAY_PIECE_HEADERS_MAX; i++) {
        struct batch_header header;
        const uint8_t *bytes;
        int r = walk_header(&walk, pos, &header, &bytes);
        if (r < 0 || (r == WALK_E_BAD && i == 0))
            return r;
        if (r == 0 && i == 0 && batch_last_offset(&header) >= task->end)
            return WALK_E_BAD; /* it claims to lie behind the end */
        if (r != 0 || batch_last_offset(&header) >= task->end)
            return 0;
        buffer_append(&task->bytes, bytes, BATCH_HEADER_SIZE);
        if (engine_replay_whole(&header)) {
            r = replay_read_rest(task, file, pos, &header);
            if (r != 0)
                return r;
        }
        pos += batch_size(&header);
    }
    return 0;
}

static int replay_read_batches(
    struct replay_task *task, struct file *file, uint64_t pos, uint64_t size)
{
    uint8_t *at = buffer_reserve(&task->bytes, size);
    ssize_t n = file->env->ops->file_pread(file->env, file->fd, at, size, pos);
    if (n < 0)
        return error_trace((int)n);
    if ((uint64_t)n < size)
        return WALK_E_BAD;
    task->bytes.size = size;
    return 0;
}

static int replay_find(struct replay_task *task, struct file *file, uint64_t *pos, uint64_t *size)
{
    struct part *part = task->task.part;
    if (task->sealed && task->index == NULL) {
        int r = part_index_load(part, task->segment, file, task->size_all, &task->index);
        if (r < 0)
            return r;
    }
    if (task->index != NULL) {
        range_anchor(&task->query, task->segment->base, task->index);
        fence_anchors(&task->fence, &task->query);
    }
    int r = range_find(file, &task->query, pos, size);
    if (r != RANGE_E_ANCHOR)
        return r;
    task->query.start = (struct anchor){task->fence.start, -1};
    task->query.jump = (struct anchor){0, -1};
    return range_find(file, &task->query, pos, size);
}

/* Whether a batch that was read whole has a wrong checksum, or offsets are not what they should be.
 */
static bool replay_doubts(const struct replay_task *task)
{
    const uint8_t *at = task->bytes.data, *end = at + task->bytes.size;
    int64_t expected = -1;
    while (at < end) {
        if ((size_t)(end - at) < BATCH_HEADER_SIZE)
            return true; /* an index led past a damaged length */
        struct batch_header header = batch_header_parse(at);
        bool whole = !task->headers_only || engine_replay_whole(&header);
        if (!batch_header_sane(&header) || (whole && batch_size(&header) > (size_t)(end - at)))
            return true;
        bool follows = expected < 0 ? task->verify.gaps || header.base_offset <= task->next
                                    : (task->verify.gaps ? header.base_offset >= expected
                                                         : header.base_offset == expected);
        if (!follows || batch_last_offset(&header) >= task->verify.end ||
            (whole && !batch_crc_valid(at, &header)))
            return true;
        expected = batch_last_offset(&header) + 1;
        at += whole ? batch_size(&header) : BATCH_HEADER_SIZE;
    }
    return false;
}

/* What the batches' checksums do not cover, by the sidecar. 0, WALK_E_BAD or -errno. */
static int replay_check_heads(struct replay_task *task, uint64_t pos)
{
    struct checksums_place place = part_checksums(task->task.part, task->segment->base);
    const uint8_t *at = task->bytes.data, *end = at + task->bytes.size;
    struct checksums_file sums;
    uint32_t entry;
    if (pos >= task->trusted_from && task->query.end <= task->trusted_to)
        return 0;
    int r = checksums_open(&place, &sums);
    if (r != 0)
        return r < 0 ? r : 0;
    if ((pos < sums.log_size || sums.final) && at < end)
        r = checksums_find(&sums, (uint32_t)pos, &entry);
    while (r == 0 && at < end && (pos < sums.log_size || sums.final)) {
        struct batch_header header = batch_header_parse(at);
        struct checksums_entry sum;
        bool whole = !task->headers_only || engine_replay_whole(&header);
        if (!checksums_read(&sums, entry++, &sum, 1) || sum.pos != pos ||
            sum.crc != checksums_of_head((uint32_t)pos, at))
            r = WALK_E_BAD;
        pos += batch_size(&header);
        at += whole ? batch_size(&header) : BATCH_HEADER_SIZE;
    }
    checksums_close(&sums);
    return r > 0 ? WALK_E_BAD : r;
}

static void replay_run(struct part_task *base)
{
    struct replay_task *task = container_of(base, struct replay_task, task);
    struct file *file;
    uint64_t pos, size;
    if (task->segment == NULL)
        return;
    int r = segment_open(task->segment, base->part->dir, &file);
    if (r < 0) {
        base->result = r;
        return;
    }
    r = task->suspect ? 0 : replay_find(task, file, &pos, &size);
    if (r == 0 && !task->suspect && size == 0 && pos < task->query.end)
        r = WALK_E_BAD; /* a batch that claims to lie behind the end */
    if (r == 0 && !task->suspect && size > 0)
        r = task->headers_only ? replay_read_headers(task, file, pos)
                               : replay_read_batches(task, file, pos, size);
    if (r == 0 && !task->suspect)
        r = replay_doubts(task) ? WALK_E_BAD : replay_check_heads(task, pos);
    if (task->suspect || r > 0) {
        r = part_verify(base->part, task->segment, file, &task->wish, &task->verify);
        task->looked = r == 0;
        task->bytes.size = 0;
    }
    file_unref(file);
    base->result = r;
}

/* --- on the loop --- */

static void replay_end(struct replay_task *task, enum engine_status status)
{
    struct engine_replay *replay = task->replay;
    buffer_deinit(&task->bytes);
    free(task);
    replay->done(replay, status);
}

/* Returns non-zero when the visitor has had enough. */
static int replay_visit(struct replay_task *task)
{
    struct part *part = task->task.part;
    const uint8_t *at = task->bytes.data, *end = at + task->bytes.size;
    while (at < end) {
        struct batch_header header = batch_header_parse(at);
        bool whole = !task->headers_only || engine_replay_whole(&header);
        size_t size = whole ? batch_size(&header) : BATCH_HEADER_SIZE;
        assert(batch_header_sane(&header) && size <= (size_t)(end - at));
        if (task->replay->visit(task->replay, &header, slice_make(at, size)) != 0)
            return 1;
        if (part_ready(part) != ENGINE_OK)
            return 0;
        task->next = batch_last_offset(&header) + 1;
        at += size;
    }
    return 0;
}

static void replay_step(struct part *part, struct replay_task *task);

static void replay_done(struct part_task *base)
{
    struct replay_task *task = container_of(base, struct replay_task, task);
    struct part *part = base->part;
    struct segment *segment = task->segment;
    bool gone = segment != NULL && !list_linked(&segment->link);
    int64_t before = task->next, end = segment == NULL ? task->end : task->fence.next;
    bool looked = task->looked;
    if (looked && !gone && part_ready(part) == ENGINE_OK) {
        part_quarantine(part, segment, task->verify.damages, task->verify.n_damages);
        segment_trust(segment, 0, task->size_all);
        task->looks++;
    }
    free(steal(&task->verify.damages));
    if (segment != NULL) {
        part_index_offer(part, segment, task->index);
        index_unref(steal(&task->index));
        segment_unref(steal(&task->segment));
    }
    enum engine_status status = part_ready(part);
    if (status == ENGINE_OK && base->result != 0 && !gone)
        status = base->result < 0 ? ENGINE_STORAGE : ENGINE_CORRUPT;
    if (status != ENGINE_OK) {
        replay_end(task, status);
        return;
    }
    if (looked && !gone && task->looks <= REPLAY_LOOKS_MAX) { /* now it is known what to go round */
        replay_step(part, task);
        return;
    }
    if (looked && !gone) {
        replay_end(task, ENGINE_CORRUPT);
        return;
    }
    bool enough = !gone && replay_visit(task) != 0;
    if (enough || gone || task->next > before)
        task->looks = 0;
    if (task->next == before && !gone) /* nothing more in this segment */
        task->next = end > before ? end : task->end;
    status = part_ready(part);
    if (enough || status != ENGINE_OK)
        replay_end(task, status);
    else
        replay_step(part, task);
}

static void replay_aim(struct part *part, struct replay_task *task)
{
    if (task->next < part->log_start)
        task->next = part->log_start;
    const struct damage *damage;
    while ((damage = part_damage_at(part, task->next)) != NULL && !damage->recalled)
        task->next = damage->next;
    if (task->next >= task->end)
        return;
    struct segment *segment = part_segment_for(part, task->next);
    if (segment == NULL)
        return;
    task->segment = segment_ref(segment);
    task->sealed = segment != part_active(part);
    task->size_all = segment->size;
    task->wish = (struct sidecar_wish){0};
    if (task->sealed && segment->synced_size == segment->size)
        task->wish = part_sidecar_wish(part, segment);
    task->trusted_from = segment->warm_pos == 0 ? 0 : segment->verified_from;
    task->trusted_to = segment->verified_to >= segment->warm_pos || segment->warm_pos == 0
                           ? segment->size
                           : segment->verified_to;
    task->fence = part_fence(part, segment, task->next);
    task->suspect = segment->damaged || task->fence.recalled;
    task->verify = (struct verify){.base = segment->base,
        .end = segment->end,
        .size = segment->size,
        .gaps = part_has_gaps(part, segment->base)};
    task->query = (struct range_query){
        .offset = task->next,
        .bound = task->fence.closed && task->fence.next < task->end ? task->fence.next : task->end,
        .size_max = REPLAY_PIECE_SIZE,
        .one_at_least = true,
        .start = {task->fence.start, -1},
        .jump = {0, -1},
        .end = task->fence.end,
        .end_is_bound =
            segment == part_active(part) && segment->end <= task->end && !task->fence.closed,
    };
    if (task->sealed && segment->index != NULL)
        task->index = index_ref(segment->index);
    else if (!task->sealed) {
        range_anchor(&task->query, segment->base, segment->index);
        fence_anchors(&task->fence, &task->query);
    }
}

static void replay_finish(struct part_task *base)
{
    struct replay_task *task = container_of(base, struct replay_task, task);
    enum engine_status status = part_ready(base->part);
    replay_end(task, task->refusal != ENGINE_OK ? task->refusal : status);
}

static void replay_step(struct part *part, struct replay_task *task)
{
    task->bytes.size = 0;
    task->task.result = 0;
    task->looked = task->suspect = false;
    replay_aim(part, task);
    part_task_submit(
        part, &task->task, false, replay_run, task->segment == NULL ? replay_finish : replay_done);
}

void part_replay(struct part *part, struct engine_replay *replay)
{
    loop_assert_owner(part->home->loop);
    struct replay_task *task = xnew(struct replay_task);
    task->replay = replay;
    task->headers_only = replay->headers_only;
    task->next = replay->from;
    task->end = part->written_end;
    replay->part = part;
    task->refusal = part_ready(part);
    if (task->refusal != ENGINE_OK)
        task->end = task->next;
    replay_step(part, task);
}
