// SPDX-License-Identifier: BSD-2-Clause
/*
 * A producer has at most one open transaction per partition, from its first batch of transactional
 * data to the marker. So a walk in order of offset knows them all. A marker is a record whose key
 * is int16 version, int16 type: 0 aborts, 1 commits. Checksums are looked at when the batches are
 * read for good; what a marker says that cannot be read here counts as damage.
 */
#include "store/cleaner/cleaner_txns.h"

#include "base/bytes.h"
#include "base/error.h"
#include "store/batch/records.h"

#include <assert.h>

/* A marker is some 80 bytes. */
#define MARKER_SIZE_MAX   4096
#define MARKER_KEY_SIZE   4
#define MARKER_TYPE_POS   2
#define MARKER_TYPE_ABORT 0

struct cleaner_txn_open {
    int64_t producer_id;
    int64_t first_offset;
};

struct cleaner_txn_abort {
    int64_t producer_id;
    int64_t first_offset, last_offset; /* of its first batch, of its marker */
};

void cleaner_txns_init(struct cleaner_txns *txns)
{
    *txns = (struct cleaner_txns){.open = MAP_NULL, .aborts = BUFFER_NULL};
}

void cleaner_txns_deinit(struct cleaner_txns *txns)
{
    map_for_each (&txns->open, entry)
        free(entry->value);
    map_deinit(&txns->open);
    buffer_deinit(&txns->aborts);
}

static struct slice producer_key(const int64_t *producer_id)
{
    return slice_make(producer_id, sizeof(*producer_id));
}

static void txns_on_data(struct cleaner_txns *txns, const struct batch_header *header)
{
    if (map_get(&txns->open, producer_key(&header->producer_id)) != NULL)
        return;
    struct cleaner_txn_open *open = xnew(struct cleaner_txn_open);
    open->producer_id = header->producer_id;
    open->first_offset = header->base_offset;
    map_put(&txns->open, producer_key(&open->producer_id), open);
}

/* The type of the marker at pos. 0, WALK_E_BAD or -errno. */
static int marker_read(
    struct file *file, uint64_t pos, const struct batch_header *header, uint16_t *ret_type)
{
    uint8_t bytes[MARKER_SIZE_MAX];
    size_t size = batch_size(header);
    if (size > sizeof(bytes) || (header->attributes & BATCH_COMPRESSION_MASK) != 0)
        return WALK_E_BAD;
    ssize_t n = file->env->ops->file_pread(file->env, file->fd, bytes, size, pos);
    if (n < 0)
        return error_trace((int)n);
    struct record_cursor cursor = record_cursor_make(
        slice_make(bytes + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE), header->records_count);
    struct record record;
    if ((size_t)n < size || !batch_crc_valid(bytes, header) || !record_next(&cursor, &record) ||
        record.key.size < MARKER_KEY_SIZE)
        return WALK_E_BAD;
    *ret_type = bytes_get_u16(record.key.data + MARKER_TYPE_POS);
    return 0;
}

static int txns_on_marker(
    struct cleaner_txns *txns, struct file *file, uint64_t pos, const struct batch_header *header)
{
    struct cleaner_txn_open *open = map_get(&txns->open, producer_key(&header->producer_id));
    uint16_t type = 0;
    if (open == NULL)
        return 0;
    int r = marker_read(file, pos, header, &type);
    if (r != 0)
        return r;
    if (type == MARKER_TYPE_ABORT) {
        struct cleaner_txn_abort abort = {
            open->producer_id, open->first_offset, header->base_offset};
        buffer_append(&txns->aborts, &abort, sizeof(abort));
    }
    map_remove(&txns->open, producer_key(&header->producer_id));
    free(open);
    return 0;
}

int cleaner_txns_add(struct cleaner_txns *txns, struct file *file, uint64_t size)
{
    struct batch_header header;
    struct walk walk;
    int r;
    walk_init(&walk, file, size);
    txns->pos = 0;
    while ((r = walk_header(&walk, txns->pos, &header, NULL)) == 0) {
        bool transactional = (header.attributes & BATCH_TRANSACTIONAL) != 0;
        if (transactional && (header.attributes & BATCH_CONTROL) != 0 && header.records_count > 0)
            r = txns_on_marker(txns, file, txns->pos, &header);
        else if (transactional && header.records_count > 0)
            txns_on_data(txns, &header);
        if (r != 0)
            return r;
        txns->pos += batch_size(&header);
    }
    return r == WALK_E_END ? 0 : r;
}

static int abort_compare(const void *a, const void *b)
{
    const struct cleaner_txn_abort *left = a, *right = b;
    if (left->producer_id != right->producer_id)
        return left->producer_id < right->producer_id ? -1 : 1;
    return (left->first_offset > right->first_offset) - (left->first_offset < right->first_offset);
}

int64_t cleaner_txns_end(struct cleaner_txns *txns)
{
    int64_t first = INT64_MAX;
    map_for_each (&txns->open, entry) {
        const struct cleaner_txn_open *open = entry->value;
        first = open->first_offset < first ? open->first_offset : first;
    }
    size_t count = txns->aborts.size / sizeof(struct cleaner_txn_abort);
    if (count > 0)
        qsort(txns->aborts.data, count, sizeof(struct cleaner_txn_abort), abort_compare);
    return first;
}

bool cleaner_txns_aborted(const struct cleaner_txns *txns, const struct batch_header *header)
{
    if ((header->attributes & BATCH_TRANSACTIONAL) == 0 ||
        (header->attributes & BATCH_CONTROL) != 0 || txns->aborts.size == 0)
        return false;
    const struct cleaner_txn_abort *aborts = (const void *)txns->aborts.data;
    const struct cleaner_txn_abort wanted = {header->producer_id, header->base_offset, 0};
    size_t low = 0, high = txns->aborts.size / sizeof(*aborts);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (abort_compare(&aborts[middle], &wanted) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && aborts[low - 1].producer_id == header->producer_id &&
           header->base_offset < aborts[low - 1].last_offset;
}
