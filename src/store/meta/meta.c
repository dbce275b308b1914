// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table is an array in key order. Transactions that arrive in one turn of the loop form a
 * batch: each is compared against the table and the accepted ones before it, the accepted ones
 * become one entry of the journal (meta_journal.c), which the pool writes and syncs; then they are
 * applied, the watches are told, and every transaction is answered in order. The next batch starts
 * after that.
 *
 * A failed write or sync: the journal is replaced by a new file that holds the table as it is, so
 * that the failed entry cannot come back at the next start; then its transactions end with
 * META_STORAGE. Should even that fail, later batches try it first.
 */
#include "store/meta/meta.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "loop/offload.h"
#include "store/meta/meta_journal.h"

#include <assert.h>

#define META_WATCHES_MAX       16
#define META_BATCH_MAX         64         /* transactions per journal entry */
#define META_COMPACT_SIZE_MIN  (1U << 20) /* bytes of journal that are left alone */
#define META_COMPACT_FACTOR    4          /* journal bytes per byte that lives */
#define META_ROW_OVERHEAD      20         /* bytes of journal beside key and value */
#define META_ENTRY_SIZE_TARGET (1U << 20) /* bytes per entry of a compacted journal */

struct meta_row {
    uint64_t version;
    struct slice key, value; /* own memory, one block behind the row */
};

struct meta_watcher {
    const char *prefix;
    void (*fn)(void *ctx, struct slice key, struct slice value);
    void *ctx;
};

struct meta {
    struct env *env;
    struct offload *offload;
    struct loop *loop;
    struct meta_journal journal;
    struct meta_row **rows;
    size_t rows_count, rows_capacity;
    uint64_t live_size; /* bytes the table takes in a journal */
    uint64_t seq;       /* of the last entry */
    struct meta_watcher watchers[META_WATCHES_MAX];
    unsigned n_watchers;

    struct list_link queued; /* struct meta_txn */
    struct list_link batch;  /* being written: accepted */
    struct list_link refused;
    struct loop_msg start_msg;
    bool start_deferred;
    bool writing;
    bool failed; /* the journal must be replaced before it is written to again */
    struct offload_work work;
    struct buffer entry;     /* what the pool appends; empty: nothing */
    struct buffer compacted; /* the table, when the journal is to be replaced; empty: not */
    int result;
};

/* --- the table --- */

/* Where the key is or belongs. */
static size_t meta_find(const struct meta *meta, struct slice key, bool *ret_found)
{
    size_t low = 0, high = meta->rows_count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(meta->rows[middle]->key, key);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t meta_row_size(const struct meta_row *row)
{
    return META_ROW_OVERHEAD + row->key.size + row->value.size;
}

static struct meta_row *meta_row_new(const struct meta_change *change)
{
    struct meta_row *row = xmalloc(sizeof(*row) + change->key.size + change->value.size + 1);
    uint8_t *at = (uint8_t *)(row + 1);
    row->version = change->version;
    row->key = slice_make(at, change->key.size);
    row->value = slice_make(at + change->key.size, change->value.size);
    if (change->key.size > 0)
        memcpy(at, change->key.data, change->key.size);
    if (change->value.size > 0)
        memcpy(at + change->key.size, change->value.data, change->value.size);
    return row;
}

static void meta_insert(struct meta *meta, size_t at, struct meta_row *row)
{
    if (meta->rows_count == meta->rows_capacity) {
        meta->rows_capacity = meta->rows_capacity == 0 ? 64 : meta->rows_capacity * 2;
        meta->rows = xrealloc(meta->rows, meta->rows_capacity * sizeof(*meta->rows));
    }
    memmove(meta->rows + at + 1, meta->rows + at, (meta->rows_count - at) * sizeof(*meta->rows));
    meta->rows[at] = row;
    meta->rows_count++;
}

static void meta_apply(struct meta *meta, const struct meta_change *change)
{
    bool found;
    size_t at = meta_find(meta, change->key, &found);
    struct meta_row *old = found ? meta->rows[at] : NULL;
    if (change->type == META_PUT) {
        struct meta_row *row = meta_row_new(change);
        meta->live_size += meta_row_size(row);
        if (found)
            meta->rows[at] = row;
        else
            meta_insert(meta, at, row);
    } else if (found) {
        meta->rows_count--;
        memmove(
            meta->rows + at, meta->rows + at + 1, (meta->rows_count - at) * sizeof(*meta->rows));
    }
    if (old != NULL)
        meta->live_size -= meta_row_size(old);
    free(old);
}

static bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return s.size >= prefix.size &&
           (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

struct slice meta_get(struct meta *meta, struct slice key, uint64_t *ret_version)
{
    bool found;
    size_t at = meta_find(meta, key, &found);
    if (ret_version != NULL)
        *ret_version = found ? meta->rows[at]->version : 0;
    return found ? meta->rows[at]->value : SLICE_NULL;
}

void meta_range(struct meta *meta, struct slice prefix,
    void (*fn)(void *ctx, struct slice key, struct slice value), void *ctx)
{
    bool found;
    for (size_t at = meta_find(meta, prefix, &found); at < meta->rows_count; at++) {
        if (!slice_has_prefix(meta->rows[at]->key, prefix))
            break;
        fn(ctx, meta->rows[at]->key, meta->rows[at]->value);
    }
}

void meta_watch(struct meta *meta, const char *prefix,
    void (*fn)(void *ctx, struct slice key, struct slice value), void *ctx)
{
    assert(meta->n_watchers < META_WATCHES_MAX);
    meta->watchers[meta->n_watchers++] = (struct meta_watcher){prefix, fn, ctx};
}

static void meta_tell(struct meta *meta, const struct meta_op *op)
{
    for (unsigned i = 0; i < meta->n_watchers; i++) {
        struct meta_watcher *watcher = &meta->watchers[i];
        if (slice_has_prefix(op->key, slice_from_str(watcher->prefix)))
            watcher->fn(watcher->ctx, op->key, op->type == META_PUT ? op->value : SLICE_NULL);
    }
}

/* --- open and free --- */

static void meta_on_change(void *ctx, uint64_t seq, const struct meta_change *change)
{
    struct meta *meta = ctx;
    meta->seq = seq > meta->seq ? seq : meta->seq;
    meta_apply(meta, change);
}

int meta_open(struct env *env, const char *dir, struct offload *offload, struct loop *loop,
    struct meta **ret_meta)
{
    struct meta *meta = xnew(struct meta);
    meta->env = env;
    meta->offload = offload;
    meta->loop = loop;
    list_init(&meta->queued);
    list_init(&meta->batch);
    list_init(&meta->refused);
    int r = meta_journal_open(&meta->journal, env, dir, meta_on_change, meta);
    if (r < 0) {
        meta_free(meta);
        return error_trace(r);
    }
    *ret_meta = meta;
    return 0;
}

void meta_free(struct meta *meta)
{
    if (meta == NULL)
        return;
    assert(!meta->writing && list_empty(&meta->queued));
    meta_journal_close(&meta->journal);
    for (size_t i = 0; i < meta->rows_count; i++)
        free(meta->rows[i]);
    free(meta->rows);
    buffer_deinit(&meta->entry);
    buffer_deinit(&meta->compacted);
    free(meta);
}

/* --- transactions --- */

/* The key's version after the accepted ones of this batch; their seq is the batch's. */
static uint64_t meta_version(struct meta *meta, struct slice key)
{
    for (struct list_link *link = meta->batch.prev; link != &meta->batch; link = link->prev) {
        const struct meta_txn *txn = list_entry(link, struct meta_txn, link);
        for (unsigned i = txn->n_ops; i > 0; i--) {
            if (slice_equal(txn->ops[i - 1].key, key))
                return txn->ops[i - 1].type == META_PUT ? meta->seq + 1 : 0;
        }
    }
    uint64_t version;
    meta_get(meta, key, &version);
    return version;
}

static bool meta_accepts(struct meta *meta, const struct meta_txn *txn)
{
    for (unsigned i = 0; i < txn->n_compares; i++) {
        if (meta_version(meta, txn->compares[i].key) != txn->compares[i].version)
            return false;
    }
    return true;
}

static void meta_collect(struct meta *meta)
{
    struct list_link *link;
    for (unsigned n = 0; n < META_BATCH_MAX && (link = list_first(&meta->queued)) != NULL; n++) {
        struct meta_txn *txn = list_entry(link, struct meta_txn, link);
        list_remove(link);
        list_append(meta_accepts(meta, txn) ? &meta->batch : &meta->refused, link);
    }
}

static void meta_build_entry(struct meta *meta)
{
    struct meta_txn *txn;
    meta->entry.size = 0;
    if (list_empty(&meta->batch))
        return;
    meta_entry_begin(&meta->entry, meta->seq + 1);
    list_for_each_entry (txn, &meta->batch, link) {
        for (unsigned i = 0; i < txn->n_ops; i++) {
            const struct meta_op *op = &txn->ops[i];
            struct meta_change change = {op->type, meta->seq + 1, op->key, op->value};
            meta_entry_add(&meta->entry, 0, &change);
        }
    }
    meta_entry_end(&meta->entry, 0);
}

/* The whole table as entries. */
static void meta_build_compacted(struct meta *meta)
{
    size_t begun_at = 0;
    meta->compacted.size = 0;
    meta_entry_begin(&meta->compacted, meta->seq);
    for (size_t i = 0; i < meta->rows_count; i++) {
        const struct meta_row *row = meta->rows[i];
        struct meta_change change = {META_PUT, row->version, row->key, row->value};
        if (meta->compacted.size - begun_at > META_ENTRY_SIZE_TARGET) {
            meta_entry_end(&meta->compacted, begun_at);
            begun_at = meta->compacted.size;
            meta_entry_begin(&meta->compacted, meta->seq);
        }
        meta_entry_add(&meta->compacted, begun_at, &change);
    }
    meta_entry_end(&meta->compacted, begun_at);
}

static bool meta_journal_grown(const struct meta *meta)
{
    return meta->journal.size > META_COMPACT_SIZE_MIN &&
           meta->journal.size / META_COMPACT_FACTOR > meta->live_size;
}

/* --- the write --- */

static void meta_on_run(struct offload_work *work)
{
    struct meta *meta = container_of(work, struct meta, work);
    meta->result = 0;
    if (meta->compacted.size > 0)
        meta->result = meta_journal_replace(&meta->journal, buffer_slice(&meta->compacted));
    if (meta->result == 0 && meta->entry.size > 0)
        meta->result = meta_journal_append(&meta->journal, buffer_slice(&meta->entry));
}

static void meta_start(struct meta *meta);
static void meta_write(struct meta *meta, bool compact, void (*done)(struct offload_work *work));

static void meta_answer(struct list_link *txns, enum meta_status status)
{
    struct list_link *link;
    while ((link = list_first(txns)) != NULL) {
        struct meta_txn *txn = list_entry(link, struct meta_txn, link);
        list_remove(link);
        txn->done(txn, status);
    }
}

static void meta_apply_batch(struct meta *meta)
{
    struct meta_txn *txn;
    if (list_empty(&meta->batch))
        return;
    meta->seq++;
    list_for_each_entry (txn, &meta->batch, link) {
        for (unsigned i = 0; i < txn->n_ops; i++) {
            const struct meta_op *op = &txn->ops[i];
            struct meta_change change = {op->type, meta->seq, op->key, op->value};
            meta_apply(meta, &change);
            meta_tell(meta, op);
        }
    }
}

/* What the batch came to is known. */
static void meta_finish(struct meta *meta, enum meta_status status)
{
    meta->writing = false;
    if (status == META_OK)
        meta_apply_batch(meta);
    meta_answer(&meta->batch, status);
    meta_answer(&meta->refused, META_CONFLICT);
    meta_start(meta);
}

static void meta_on_mended(struct offload_work *work)
{
    struct meta *meta = container_of(work, struct meta, work);
    meta->failed = meta->result < 0;
    meta_finish(meta, META_STORAGE);
}

static void meta_on_done(struct offload_work *work)
{
    struct meta *meta = container_of(work, struct meta, work);
    if (meta->result == 0) {
        meta->failed = false;
        meta_finish(meta, META_OK);
        return;
    }
    log_error("meta.write_failed", "file=%s error=\"%s\"", meta->journal.path,
        log_errno(-meta->result).str);
    /* The failed entry must be gone before anybody hears of it. */
    meta->entry.size = 0;
    meta_write(meta, true, meta_on_mended);
}

static void meta_write(struct meta *meta, bool compact, void (*done)(struct offload_work *work))
{
    meta->compacted.size = 0;
    if (compact)
        meta_build_compacted(meta);
    meta->writing = true;
    offload_submit(meta->offload, &meta->work, meta->loop, NULL, meta_on_run, done);
}

static void meta_start(struct meta *meta)
{
    while (!meta->writing && !list_empty(&meta->queued)) {
        meta_collect(meta);
        if (list_empty(&meta->batch)) {
            meta_answer(&meta->refused, META_CONFLICT);
            continue;
        }
        meta_build_entry(meta);
        meta_write(meta, meta->failed || meta_journal_grown(meta), meta_on_done);
    }
}

int meta_commit_now(struct meta *meta, const struct meta_op *ops, size_t n_ops)
{
    assert(!meta->writing && list_empty(&meta->queued));
    for (size_t done = 0; done < n_ops;) {
        size_t end = n_ops - done < META_OPS_MAX ? n_ops : done + META_OPS_MAX;
        meta->entry.size = 0;
        meta_entry_begin(&meta->entry, meta->seq + 1);
        for (size_t i = done; i < end; i++) {
            struct meta_change change = {ops[i].type, meta->seq + 1, ops[i].key, ops[i].value};
            meta_entry_add(&meta->entry, 0, &change);
        }
        meta_entry_end(&meta->entry, 0);
        int r = meta_journal_append(&meta->journal, buffer_slice(&meta->entry));
        if (r < 0)
            return error_trace(r);
        meta->seq++;
        for (; done < end; done++) {
            struct meta_change change = {ops[done].type, meta->seq, ops[done].key, ops[done].value};
            meta_apply(meta, &change);
        }
    }
    return 0;
}

static void meta_on_start(struct loop_msg *msg)
{
    struct meta *meta = container_of(msg, struct meta, start_msg);
    meta->start_deferred = false;
    meta_start(meta);
}

void meta_commit(struct meta *meta, struct meta_txn *txn)
{
    loop_assert_owner(meta->loop);
    assert(txn->n_compares <= META_OPS_MAX && txn->n_ops <= META_OPS_MAX && txn->n_ops > 0);
    list_append(&meta->queued, &txn->link);
    if (meta->start_deferred || meta->writing)
        return;
    meta->start_deferred = true;
    loop_defer(meta->loop, &meta->start_msg, meta_on_start);
}
