// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * store_world: a local engine on a temporary directory, with one part, a step loop, and an env
 * whose calls can fail; helpers to append, read and damage. One at a time.
 */
#include "store/engine.h"
#include "support/faulty_env.h"
#include "support/step_loop.h"

#define WORLD_LABEL "orders-0"

struct world {
    char dir[64];
    struct faulty_env faulty;
    struct loop *loop;
    struct engine *engine;
    struct part_config config;
    unsigned files_open_max;
    uint64_t scrub_rate;
    bool sync_all;
    unsigned sync_disk_min;
    uint64_t index_save_min;
    bool gaps;                  /* offsets may be missing: the log is compacted */
    int64_t cleaner_backoff_ms; /* 0: nothing is compacted */
    size_t cleaner_map_size_max;
    unsigned cleaner_threads; /* 0: one */
    uint64_t cleaner_rate;    /* bytes per second; 0: any */
    struct part *part;
    unsigned n_acquired, n_lost, n_failed, n_committed, n_start_moved;
    int64_t high_watermark, log_start;
    unsigned depth; /* inside a call of the engine: no callback may come */
};

extern struct world world;
extern const struct engine_sink world_sink;

void world_make(void);     /* directory and defaults; nothing open */
void world_clear(void);    /* closes and removes everything */
void world_start(void);    /* engine and part */
int world_try_start(void); /* -errno when the engine does not come up */
void world_stop(void);     /* clean */
/* Everything open is dropped without a last write, as a kill would. */
void world_kill(void);
void world_stop_part(struct part *part);
struct part *world_open_part(const char *label, uint8_t topic, bool fresh);

/* A batch of n records with `size` bytes in all; returns the status that done brought. */
struct batch_spec {
    int32_t n_records;
    size_t size; /* bytes of the batch, at least BATCH_HEADER_SIZE; 0: 100 */
    int64_t timestamp;
    unsigned flags;
    struct loop *origin;
};
uint8_t *world_batch(const struct batch_spec *spec); /* caller frees */
struct world_append {
    struct engine_append append;
    enum engine_status answer; /* of part_append */
    enum engine_status status; /* of done */
    bool done;
};
/* Not settled: the caller does. Free with world_append_free when done. */
struct world_append *world_append(struct part *part, const struct batch_spec *spec);
void world_append_free(struct world_append *append);
/* Appends, settles, and says what became of it. */
enum engine_status world_put(struct part *part, int32_t n_records, size_t size);
enum engine_status world_put_durable(struct part *part, int32_t n_records, size_t size);

/* Reads and settles; the bytes are in *ret_bytes (malloc). */
struct world_read {
    enum engine_status status;
    bool pending; /* answered later */
    uint8_t *bytes;
    size_t size;
    unsigned n_batches;
    int64_t first_offset, next_offset; /* -1: nothing was read */
};
struct world_read world_read(struct part *part, int64_t offset, uint32_t size_max, bool one);
struct world_read world_read_below(
    struct part *part, int64_t offset, int64_t bound, uint32_t size_max, bool one);
/* Reads everything from the log start; fails the test at a gap or a bad checksum. Returns the
 * offset behind the last batch. */
int64_t world_scan(struct part *part);
struct part_state world_state(struct part *part);
/* Settles and returns the answer's status. */
enum engine_status world_call(struct part *part,
    void (*fn)(struct part *part, struct engine_call *call), struct engine_call *call);

/* Damage, by path below the part's directory. */
char *world_path(const char *name); /* caller frees */
void world_file_write(const char *name, uint64_t pos, const void *data, size_t size);
void world_file_truncate(const char *name, uint64_t size);
void world_file_remove(const char *name);
bool world_file_exists(const char *name);
uint64_t world_file_size(const char *name);
#define WORLD_LOG0 WORLD_LABEL "/00000000000000000000.log"
