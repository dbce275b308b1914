// SPDX-License-Identifier: BSD-2-Clause
/*
 * Happy path. A walk over the headers learns what transactions aborted. Then two readings: the
 * first goes over what was never compacted and notes for each key where it is seen last, as far as
 * the memory for that reaches (map_end; the next pass goes on there). The second goes over
 * everything below map_end from the front and writes what the filter leaves; small neighbours are
 * joined, up to the size of a segment.
 *
 * Every batch is checked before it is used, also those that are only copied: what is damaged must
 * not get a place in a new file, where nobody would look for damage, nor vanish. The pass ends
 * there (CLEANER_E_DAMAGED) and leaves everything as it was; so it does when a write fails or it is
 * cancelled.
 *
 * A transaction's marker goes only when no record of the transaction is left. The second reading
 * begins at the front of the log, so it sees a transaction's records before its marker.
 */
#include "store/cleaner/cleaner_pass.h"

#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "store/cleaner/cleaner_filter.h"
#include "store/cleaner/cleaner_swap.h"
#include "store/cleaner/cleaner_txns.h"
#include "store/batch/records.h"
#include "store/integrity/checksums.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#define CLEANER_PIECE_SIZE     ((size_t)1 << 20) /* read and written at a time by default */
#define CLEANER_PIECE_SIZE_MIN ((size_t)4096)
#define CLEANER_NAP_NS         50000000 /* between looks whether the pass is cancelled */

static size_t pass_piece_size(const struct cleaner_pass *pass)
{
    if (pass->piece_size == 0)
        return CLEANER_PIECE_SIZE;
    return pass->piece_size < CLEANER_PIECE_SIZE_MIN ? CLEANER_PIECE_SIZE_MIN : pass->piece_size;
}

/* Takes the next free time for `size` bytes and sleeps until it comes. */
static void pass_throttle(struct cleaner_pass *pass, size_t size)
{
    if (pass->rate == 0)
        return;
    int64_t cost = (int64_t)((double)size / (double)pass->rate * 1e9);
    int64_t now = pass->env->ops->monotonic_ns(pass->env), start, free = atomic_load(pass->free_ns);
    do
        start = free > now ? free : now;
    while (!atomic_compare_exchange_weak(pass->free_ns, &free, start + cost));
    while (now < start && !atomic_load_explicit(&pass->cancelled, memory_order_relaxed)) {
        int64_t nap = start - now < CLEANER_NAP_NS ? start - now : CLEANER_NAP_NS;
        nanosleep(&(struct timespec){.tv_nsec = nap}, NULL);
        now = pass->env->ops->monotonic_ns(pass->env);
    }
}

/* --- reading a source --- */

struct reader {
    struct cleaner_pass *pass;
    const struct cleaner_source *source;
    struct file *file;
    uint64_t pos, piece_pos; /* the next batch; where the piece begins */
    int64_t expected;        /* the next batch has this offset or a higher one */
    struct buffer piece;
    struct checksums *sums; /* the sidecar; NULL: none */
    uint32_t entry;         /* which of its entries is next */
};

static int reader_open(
    struct reader *reader, struct cleaner_pass *pass, const struct cleaner_source *source)
{
    struct buffer piece = reader->piece;
    piece.size = 0;
    *reader =
        (struct reader){.pass = pass, .source = source, .expected = source->base, .piece = piece};
    struct checksums_place place = {pass->env, pass->dir, source->base, pass->owner};
    int r = segment_open(source->segment, pass->dir, &reader->file);
    if (r == 0 && checksums_load(&place, &reader->sums) != 0)
        reader->sums = NULL;
    if (reader->sums != NULL && source->base < pass->gaps_end &&
        !checksums_sealed(&place, reader->sums))
        free(steal(&reader->sums)); /* perhaps from before the last pass */
    return r;
}

static void reader_close(struct reader *reader)
{
    free(steal(&reader->sums));
    file_unref(steal(&reader->file));
}

static int reader_fault(struct reader *reader, const char *reason)
{
    reader->pass->fault =
        (struct cleaner_fault){reader->source->base, reader->expected, reader->pos, reason};
    return CLEANER_E_DAMAGED;
}

/* Makes `size` bytes at pos lie in the piece. They are in the file, as far as its size goes. */
static int reader_fill(struct reader *reader, size_t size)
{
    if (reader->pos + size <= reader->piece_pos + reader->piece.size)
        return 0;
    uint64_t left = reader->source->size - reader->pos;
    assert(size <= left);
    size_t piece_size = pass_piece_size(reader->pass);
    size_t want = size > piece_size ? size : piece_size;
    want = want < left ? want : (size_t)left;
    pass_throttle(reader->pass, want);
    reader->piece.size = 0;
    uint8_t *at = buffer_reserve(&reader->piece, want);
    struct env *env = reader->pass->env;
    ssize_t n = env->ops->file_pread(env, reader->file->fd, at, want, reader->pos);
    if (n < 0)
        return error_trace((int)n);
    if ((size_t)n < want)
        return reader_fault(reader, "the file is shorter than it should be");
    reader->piece_pos = reader->pos;
    reader->piece.size = want;
    return 0;
}

static const char *reader_judge(const struct reader *reader, const struct batch_header *header)
{
    if (!batch_header_sane(header) || header->records_count < 0 ||
        batch_size(header) > reader->source->size - reader->pos)
        return "there is no whole batch";
    if (header->base_offset < reader->expected || header->base_offset > INT64_MAX - INT32_MAX ||
        batch_last_offset(header) >= reader->source->end)
        return "its offset goes back or too far";
    return NULL;
}

/* What the checksum of the batch does not cover. */
static bool reader_head_right(const struct reader *reader, const uint8_t *head)
{
    const struct checksums *sums = reader->sums;
    if (sums == NULL || (reader->pos >= sums->log_size && !sums->final))
        return true;
    return reader->entry < sums->count && sums->entries[reader->entry].pos == reader->pos &&
           sums->entries[reader->entry].crc == checksums_of_head((uint32_t)reader->pos, head);
}

enum { READER_END = 3 };
/* The next batch, checked. 0, READER_END, CLEANER_E_* or -errno. */
static int reader_next(struct reader *reader, struct cleaner_batch *ret_batch)
{
    const struct cleaner_source *source = reader->source;
    if (reader->pos == source->size)
        return READER_END;
    if (atomic_load_explicit(&reader->pass->cancelled, memory_order_relaxed))
        return CLEANER_E_CANCELLED;
    if (source->size - reader->pos < BATCH_HEADER_SIZE)
        return reader_fault(reader, "there is no whole batch");
    int r = reader_fill(reader, BATCH_HEADER_SIZE);
    if (r != 0)
        return r;
    struct batch_header header =
        batch_header_parse(reader->piece.data + (reader->pos - reader->piece_pos));
    const char *reason = reader_judge(reader, &header);
    if (reason != NULL)
        return reader_fault(reader, reason);
    r = reader_fill(reader, batch_size(&header));
    if (r != 0)
        return r;
    const uint8_t *bytes = reader->piece.data + (reader->pos - reader->piece_pos);
    if (!batch_crc_valid(bytes, &header))
        return reader_fault(reader, "its checksum is wrong");
    if (!reader_head_right(reader, bytes))
        return reader_fault(reader, "it is not what the sidecar knows");
    *ret_batch =
        (struct cleaner_batch){.header = header, .bytes = slice_make(bytes, batch_size(&header))};
    return 0;
}

/* Past the batch that reader_next gave. */
static void reader_advance(struct reader *reader, const struct batch_header *header)
{
    reader->pos += batch_size(header);
    reader->entry++;
    reader->expected = batch_last_offset(header) + 1;
}

/* --- the pass --- */

/* A producer's state during the second reading. */
struct cleaner_txn {
    int64_t producer_id;
    bool data_left; /* records of its open transaction were kept */
};

struct cleaning {
    struct cleaner_pass *pass;
    struct cleaner_map map;
    struct cleaner_filter filter;
    struct reader reader;
    struct map producers; /* producer id -> struct engine_clean_producer (in pass->facts) */
    struct map states;    /* producer id -> struct cleaner_txn */
    struct cleaner_txns txns;
    struct buffer out; /* of the group that is being written */
    int out_fd;
    uint64_t out_pos; /* bytes written before those in `out` */
};

static struct slice id_key(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

static void cleaning_init(struct cleaning *cleaning, struct cleaner_pass *pass)
{
    *cleaning =
        (struct cleaning){.pass = pass, .out_fd = -1, .producers = MAP_NULL, .states = MAP_NULL};
    cleaning->filter = (struct cleaner_filter){
        .map = &cleaning->map,
        .now_ms = pass->now_ms,
        .delete_retention_ms = pass->delete_retention_ms,
    };
    cleaner_txns_init(&cleaning->txns);
    struct engine_clean_producer *producers = (void *)pass->facts.producers.data;
    size_t count = pass->facts.producers.size / sizeof(*producers);
    for (size_t i = 0; i < count; i++)
        map_put(&cleaning->producers, id_key(&producers[i].producer_id), &producers[i]);
}

static void cleaning_deinit(struct cleaning *cleaning)
{
    assert(cleaning->out_fd < 0);
    map_for_each (&cleaning->states, entry)
        free(entry->value);
    map_deinit(&cleaning->states);
    cleaner_txns_deinit(&cleaning->txns);
    map_deinit(&cleaning->producers);
    cleaner_map_deinit(&cleaning->map);
    cleaner_filter_deinit(&cleaning->filter);
    buffer_deinit(&cleaning->reader.piece);
    buffer_deinit(&cleaning->out);
}

static bool batch_is_control(const struct batch_header *header)
{
    return (header->attributes & BATCH_CONTROL) != 0;
}

/* --- transactions --- */

/* Learns of them, and leaves out what an open one may still change. */
static int txns_collect(struct cleaning *cleaning)
{
    struct cleaner_pass *pass = cleaning->pass;
    for (unsigned i = 0; i < pass->n_sources; i++) {
        struct reader *reader = &cleaning->reader;
        int r = reader_open(reader, pass, &pass->sources[i]);
        if (r < 0)
            return error_trace(r);
        r = cleaner_txns_add(&cleaning->txns, reader->file, reader->source->size);
        reader->pos = cleaning->txns.pos;
        reader_close(reader);
        if (r == WALK_E_BAD)
            return reader_fault(reader, "there is no whole batch, or no sound marker");
        if (r < 0)
            return error_trace(r);
    }
    int64_t bound = cleaner_txns_end(&cleaning->txns);
    while (pass->n_sources > 0 && pass->sources[pass->n_sources - 1].end > bound)
        segment_unref(pass->sources[--pass->n_sources].segment);
    return 0;
}

/* --- first reading: the keys --- */

enum { KEYS_FULL = 4 };
/* Notes the keys of one batch. 0, KEYS_FULL (map_end is set) or CLEANER_E_DAMAGED. */
static int keys_add_batch(struct cleaning *cleaning, const struct cleaner_batch *batch)
{
    struct cleaner_pass *pass = cleaning->pass;
    const struct batch_header *header = &batch->header;
    struct slice records;
    if (batch_last_offset(header) < pass->first_dirty || header->records_count == 0 ||
        batch_is_control(header) || cleaner_txns_aborted(&cleaning->txns, header))
        return 0;
    const char *fault = cleaner_filter_records(&cleaning->filter, batch, &records);
    if (fault != NULL)
        return reader_fault(&cleaning->reader, fault);
    struct record_cursor cursor = record_cursor_make(records, header->records_count);
    struct record record;
    while (record_next(&cursor, &record)) {
        int64_t offset = header->base_offset + record.offset_delta;
        if (record.offset_delta < 0 || record.offset_delta > header->last_offset_delta)
            return reader_fault(&cleaning->reader, "a record's offset is not the batch's");
        if (offset < pass->first_dirty || slice_is_null(record.key))
            continue;
        if (!cleaner_map_put(&cleaning->map, record.key, offset)) {
            pass->map_end = offset;
            return KEYS_FULL;
        }
    }
    return cursor.fault == NULL ? 0 : reader_fault(&cleaning->reader, cursor.fault);
}

static int keys_add_source(struct cleaning *cleaning, const struct cleaner_source *source)
{
    struct reader *reader = &cleaning->reader;
    struct cleaner_batch batch;
    int r = reader_open(reader, cleaning->pass, source);
    if (r < 0)
        return error_trace(r);
    while ((r = reader_next(reader, &batch)) == 0) {
        r = keys_add_batch(cleaning, &batch);
        if (r != 0)
            break;
        reader_advance(reader, &batch.header);
    }
    reader_close(reader);
    return r == READER_END ? 0 : r;
}

static int keys_collect(struct cleaning *cleaning)
{
    struct cleaner_pass *pass = cleaning->pass;
    int r = cleaner_map_init(&cleaning->map, pass->env, pass->map_size_max);
    pass->map_end = pass->sources[pass->n_sources - 1].end;
    for (unsigned i = 0; i < pass->n_sources && r == 0; i++) {
        if (pass->sources[i].end > pass->first_dirty)
            r = keys_add_source(cleaning, &pass->sources[i]);
    }
    cleaning->filter.map_end = pass->map_end;
    return r == KEYS_FULL ? 0 : r;
}

/* --- second reading: what stays --- */

static struct cleaner_txn *txn_of(struct cleaning *cleaning, int64_t producer_id)
{
    struct cleaner_txn *txn = map_get(&cleaning->states, id_key(&producer_id));
    if (txn == NULL) {
        txn = xnew(struct cleaner_txn);
        txn->producer_id = producer_id;
        map_put(&cleaning->states, id_key(&txn->producer_id), txn);
    }
    return txn;
}

/* Whether the header has to stay for the sake of its producer's sequence or epoch. */
static bool batch_is_producer_last(struct cleaning *cleaning, const struct batch_header *header)
{
    if (header->producer_id < 0)
        return false;
    const struct engine_clean_producer *producer =
        map_get(&cleaning->producers, id_key(&header->producer_id));
    if (producer == NULL)
        return false;
    if (producer->last_offset >= 0)
        return batch_last_offset(header) == producer->last_offset;
    return batch_is_control(header) && header->producer_epoch == producer->epoch;
}

static void filter_prepare(struct cleaning *cleaning, struct cleaner_batch *batch)
{
    const struct cleaner_pass *pass = cleaning->pass;
    const struct batch_header *header = &batch->header;
    /* So that a reader at the end of the log finds something that takes it to the end. */
    bool last = batch_last_offset(header) + 1 == pass->sources[pass->n_sources - 1].end;
    batch->keep_header = last || batch_is_producer_last(cleaning, header);
    batch->discard = cleaner_txns_aborted(&cleaning->txns, header);
    if (batch_is_control(header) && (header->attributes & BATCH_TRANSACTIONAL) != 0)
        batch->marker_useless = !txn_of(cleaning, header->producer_id)->data_left;
}

/* Tells the transaction of what was left. */
static void filter_follow(
    struct cleaning *cleaning, const struct batch_header *header, enum cleaner_left left)
{
    if ((header->attributes & BATCH_TRANSACTIONAL) == 0)
        return;
    struct cleaner_txn *txn = txn_of(cleaning, header->producer_id);
    if (batch_is_control(header))
        txn->data_left = false;
    else if (left == CLEANER_LEFT_SOME || (left == CLEANER_LEFT_ALL && header->records_count > 0))
        txn->data_left = true;
}

static int group_flush(struct cleaning *cleaning)
{
    struct env *env = cleaning->pass->env;
    struct iovec iov = {cleaning->out.data, cleaning->out.size};
    if (cleaning->out.size == 0)
        return 0;
    pass_throttle(cleaning->pass, cleaning->out.size);
    int r = env->ops->file_pwritev(env, cleaning->out_fd, &iov, 1, cleaning->out_pos);
    cleaning->out_pos += cleaning->out.size;
    cleaning->out.size = 0;
    return error_trace(r);
}

/* The bytes from `from` on in `out` are a batch that stays. */
static int group_note(struct cleaning *cleaning, struct cleaner_group *group, size_t from)
{
    struct batch_header header = batch_header_parse(cleaning->out.data + from);
    assert(batch_header_sane(&header) && batch_size(&header) == cleaning->out.size - from);
    uint64_t pos = cleaning->out_pos + from;
    if (pos + batch_size(&header) > SEGMENT_SIZE_MAX)
        return error_trace(-EFBIG);
    if (pos == 0)
        group->first_timestamp = header.max_timestamp;
    index_note(group->index, group->base, &header, pos, cleaning->pass->index_interval_size);
    group->size = pos + batch_size(&header);
    return cleaning->out.size >= pass_piece_size(cleaning->pass) ? group_flush(cleaning) : 0;
}

static int group_add_batch(
    struct cleaning *cleaning, struct cleaner_group *group, struct cleaner_batch *batch)
{
    size_t from = cleaning->out.size;
    enum cleaner_left left;
    filter_prepare(cleaning, batch);
    const char *fault = cleaner_filter_batch(&cleaning->filter, batch, &cleaning->out, &left);
    if (fault != NULL)
        return reader_fault(&cleaning->reader, fault);
    filter_follow(cleaning, &batch->header, left);
    group->changed = group->changed || left != CLEANER_LEFT_ALL;
    return left == CLEANER_LEFT_NONE ? 0 : group_note(cleaning, group, from);
}

static int group_add_source(
    struct cleaning *cleaning, struct cleaner_group *group, const struct cleaner_source *source)
{
    struct reader *reader = &cleaning->reader;
    struct cleaner_batch batch;
    int r = reader_open(reader, cleaning->pass, source);
    if (r < 0)
        return error_trace(r);
    while ((r = reader_next(reader, &batch)) == 0) {
        r = group_add_batch(cleaning, group, &batch);
        if (r != 0)
            break;
        reader_advance(reader, &batch.header);
    }
    reader_close(reader);
    return r == READER_END ? 0 : r;
}

static int group_fill(struct cleaning *cleaning, struct cleaner_group *group)
{
    struct cleaner_pass *pass = cleaning->pass;
    int r = 0;
    for (unsigned i = 0; i < group->count && r == 0; i++)
        r = group_add_source(cleaning, group, &pass->sources[group->first + i]);
    if (r == 0)
        r = group_flush(cleaning);
    if (r == 0 && group->changed)
        r = pass->env->ops->file_sync(pass->env, cleaning->out_fd);
    return r;
}

static int group_write(struct cleaning *cleaning, struct cleaner_group *group)
{
    struct env *env = cleaning->pass->env;
    _cleanup_(freep) char *path = cleaner_swap_cleaned_path(cleaning->pass->dir, group->base);
    group->index = index_new();
    group->first_timestamp = -1;
    group->changed = group->count > 1;
    cleaning->out.size = 0;
    cleaning->out_pos = 0;
    cleaning->out_fd =
        env->ops->file_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_TRUNCATE);
    if (cleaning->out_fd < 0)
        return error_trace(cleaning->out_fd);
    int r = group_fill(cleaning, group);
    env->ops->file_close(env, cleaning->out_fd);
    cleaning->out_fd = -1;
    index_seal(group->index);
    if (r == 0 && !group->changed)
        env->ops->path_unlink(env, path);
    return r;
}

/* --- groups --- */

static uint64_t source_index_size(const struct cleaner_pass *pass, const struct cleaner_source *it)
{
    uint32_t interval = pass->index_interval_size == 0 ? 1 : pass->index_interval_size;
    return (it->size / interval + 1) * INDEX_TIME_ENTRY_SIZE;
}

/* Takes as many sources from `first` on as one segment may hold. */
static struct cleaner_group group_plan(const struct cleaner_pass *pass, unsigned first)
{
    struct cleaner_group group = {
        .first = first, .base = pass->sources[first].base, .end = pass->sources[first].end};
    uint64_t size = 0, index_size = 0;
    for (unsigned i = first; i < pass->n_sources; i++) {
        const struct cleaner_source *source = &pass->sources[i];
        uint64_t more = source_index_size(pass, source);
        bool fits = source->size <= pass->segment_size_max &&
                    size <= pass->segment_size_max - source->size &&
                    index_size + more <= pass->index_size_max &&
                    source->end - 1 - group.base <= INT32_MAX;
        if (i > first && (source->base >= pass->map_end || !fits))
            break;
        size += source->size;
        index_size += more;
        group.end = source->end;
        group.count++;
    }
    return group;
}

static int pass_write(struct cleaning *cleaning)
{
    struct cleaner_pass *pass = cleaning->pass;
    pass->groups = xnew_n(struct cleaner_group, pass->n_sources);
    for (unsigned at = 0; at < pass->n_sources && pass->sources[at].base < pass->map_end;) {
        struct cleaner_group *group = &pass->groups[pass->n_groups++];
        *group = group_plan(pass, at);
        for (unsigned i = 0; i < group->count; i++)
            pass->size_before += pass->sources[group->first + i].size;
        int r = group_write(cleaning, group);
        if (r != 0)
            return r;
        pass->size_after += group->size;
        at += group->count;
    }
    return 0;
}

int cleaner_pass_run(struct cleaner_pass *pass)
{
    struct cleaning cleaning;
    assert(pass->n_sources > 0);
    cleaning_init(&cleaning, pass);
    pass->map_end = pass->first_dirty;
    int r = txns_collect(&cleaning);
    bool dirty =
        r == 0 && pass->n_sources > 0 && pass->sources[pass->n_sources - 1].end > pass->first_dirty;
    if (dirty)
        r = keys_collect(&cleaning);
    if (dirty && r == 0)
        r = pass_write(&cleaning);
    if (r != 0)
        cleaner_pass_discard(pass);
    cleaning_deinit(&cleaning);
    return r;
}

void cleaner_pass_discard(struct cleaner_pass *pass)
{
    for (unsigned i = 0; i < pass->n_groups; i++) {
        _cleanup_(freep) char *path = cleaner_swap_cleaned_path(pass->dir, pass->groups[i].base);
        pass->env->ops->path_unlink(pass->env, path); /* what stays is removed at the next start */
    }
}

void cleaner_pass_deinit(struct cleaner_pass *pass)
{
    for (unsigned i = 0; i < pass->n_sources; i++)
        segment_unref(pass->sources[i].segment);
    for (unsigned i = 0; i < pass->n_groups; i++)
        index_unref(pass->groups[i].index);
    free(pass->sources);
    free(pass->groups);
    buffer_deinit(&pass->facts.producers);
}
