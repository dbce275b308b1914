// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * segment: one file of a partition's log, `<base offset, 20 digits>.log`, and walks over the
 * batches in it. The fields up to `slot` never change, so that pool work that holds a reference may
 * use them; the rest belongs to the part's home loop.
 */
#include "store/segment/files.h"
#include "store/segment/index.h"

#include <stdatomic.h>

/* Positions are 32 bits in the index, signed in Kafka's. */
#define SEGMENT_SIZE_MAX ((uint64_t)INT32_MAX)

struct segment {
    struct ref ref;
    struct files *files;
    int64_t base; /* offset in its name; its first batch has this or a higher one */
    struct files_slot slot;
    atomic_bool retired; /* compacted away: its names on the disk are another segment's now */
    /* home loop only */
    struct list_link link;
    uint64_t size;           /* bytes of whole, written batches */
    int64_t end;             /* offset behind the last batch */
    uint64_t synced_size;    /* bytes known to be on the medium */
    int64_t synced_end;      /* the offset there */
    uint64_t warm_pos;       /* from here on written by this process: likely in the page cache */
    int64_t created_ms;      /* real time */
    int64_t first_timestamp; /* of the first batch; -1: none or not known */
    int64_t max_timestamp;   /* -1: none or not known (sealed: until the index was loaded) */
    int64_t roll_jitter_ms;
    uint64_t verified_from, verified_to; /* these bytes were checked by this process */
    bool damaged;                /* suspected: all of it is to be checked before it is read */
    bool stuck;                  /* recovery did not come to its end: it must not be written to */
    unsigned scrub_round;        /* of the background check that it was last in */
    struct index *index;         /* the active one always has it; NULL: to be loaded */
    struct list_link index_link; /* in the home's list of sealed segments with a loaded index */
};

struct segment *segment_new(struct files *files, int64_t base);
void segment_unref(struct segment *segment); /* NULL is fine; closes the slot at last */
static inline struct segment *segment_ref(struct segment *segment)
{
    ref_get(&segment->ref);
    return segment;
}

/* "dir/00000000000000000042.log"; caller frees. */
char *segment_path(const char *dir, int64_t base, const char *suffix);
/* False when the name is not 20 digits and the suffix. */
bool segment_parse_name(const char *name, const char *suffix, int64_t *ret_base);
/* Opens the log for reading and writing through the slot; may block. */
int segment_open(struct segment *segment, const char *dir, struct file **ret_file);
/* Removes the log and its indexes; missing ones are fine. Blocks. */
int segment_unlink(struct env *env, const char *dir, int64_t base);

/* A walk reads headers through a small buffer, or through a large one that it was lent: then many
 * small batches come with each read, and of large ones still no more than their headers. */
#define WALK_BUFFER_SIZE 4096
struct walk {
    struct file *file;
    uint64_t end; /* bytes of the file that count */
    uint64_t buffer_pos;
    size_t buffer_size, ahead; /* bytes that are there, and that a read asks for */
    size_t capacity;
    uint8_t *buffer;
    uint8_t own[WALK_BUFFER_SIZE];
};

enum {
    WALK_E_END = 1, /* pos is the end */
    WALK_E_BAD = 2, /* what is there is no batch, or not all of it is there */
};
/* The walk stays where it is in memory. */
void walk_init(struct walk *walk, struct file *file, uint64_t end);
/* `capacity` >= WALK_BUFFER_SIZE; the buffer must outlive the walk. */
void walk_lend(struct walk *walk, uint8_t *buffer, size_t capacity);
/* Bytes of the file, valid until the next call; `size` <= capacity. 0, WALK_E_BAD or -errno. */
int walk_bytes(struct walk *walk, uint64_t pos, size_t size, const uint8_t **ret_bytes);
/* The header at pos; `ret_bytes` (may be NULL) its BATCH_HEADER_SIZE raw bytes, valid until the
 * next call. 0, WALK_E_* or -errno. */
int walk_header(
    struct walk *walk, uint64_t pos, struct batch_header *ret_header, const uint8_t **ret_bytes);

/* A batch start that is known from elsewhere (an index may be wrong: the walk looks). */
struct anchor {
    uint64_t pos;
    int64_t last_offset; /* of the batch there; -1: not to be compared */
};

struct range_query {
    int64_t offset;      /* the range starts with the batch that contains it */
    int64_t bound;       /* no batch that reaches it is in the range */
    uint32_t size_max;   /* bytes */
    bool one_at_least;   /* the first batch even if larger */
    struct anchor start; /* at or before the offset */
    struct anchor jump;  /* where to look for the range's end; used when behind its start */
    uint64_t end;        /* bytes of the file that count */
    bool end_is_bound;   /* every batch before `end` is below the bound */
    bool skip_empty;     /* the range does not start with batches without records */
};

enum { RANGE_E_ANCHOR = 3 }; /* an anchor is wrong */
/* Finds whole batches: 0 with *ret_size == 0 when none fits, WALK_E_BAD, RANGE_E_ANCHOR or -errno.
 */
int range_find(
    struct file *file, const struct range_query *query, uint64_t *ret_pos, uint64_t *ret_size);
/* Sets both anchors of a query (whose other fields are set) from an index of the segment. */
void range_anchor(struct range_query *query, int64_t base, const struct index *index);

/* A new index for the first `size` bytes of the log, by walking it from `from` (0, or a position up
 * to which `index` is right). 0, WALK_E_BAD (index covers what comes before), or -errno. */
int segment_index_build(struct file *file, int64_t base, uint64_t from, uint64_t size,
    uint32_t interval_size, struct index *index);
