// SPDX-License-Identifier: BSD-2-Clause
/*
 * away: a large write on the loop that its bytes came from. A batch that was received and checked
 * on another core lies in that core's cache; written at home, every line of it is pulled across,
 * which costs more than all the rest of the append.
 *
 * Happy path: the home takes appends off `pending`, with their offsets and the place in the file
 * settled, and posts the write to their loop; it comes back as a message and ends as a write at
 * home would. Meanwhile the part is `writing`: later appends queue up, the active segment is
 * neither rolled nor cut, and since its size has not moved, nobody sees what is being written. One
 * write of a part is under way at a time.
 *
 * Failures. The write fails: part_write_failed, as at home; it reaches what queued up meanwhile,
 * too. A sync fails: the repair waits for the write, which then shares the fate of what is cut off.
 * The part is closed or deleted: it ends when the write is back.
 */
#include "store/part/part.h"

#include <assert.h>

struct away {
    struct loop_msg msg;
    struct loop *home, *writer;
    struct part *part;
    struct segment *segment;
    struct file *file;
    uint64_t pos;
    size_t size; /* bytes in all appends */
    struct list_link appends;
    int result;
    unsigned count;
    struct iovec iov[];
};

/* Back in the queue, before what came meanwhile, as if the write were only about to begin. */
static void away_put_back(struct away *away)
{
    struct part *part = away->part;
    list_splice(&away->appends, &part->pending);
    list_splice(&part->pending, &away->appends);
    part->pending_size += away->size;
}

static void away_end(struct away *away)
{
    struct part *part = away->part;
    assert(part_active(part) == away->segment && away->segment->size == away->pos);
    if (part->phase == PART_OFFLINE) {
        part_settle(part, &away->appends, PART_DONE_NOT_OWNER);
    } else if (part->phase == PART_REPAIRING) {
        list_splice(&part->waiting, &away->appends); /* end with the cut */
    } else {
        away_put_back(away);
        if (away->result < 0)
            part_write_failed(part, away->segment, away->result);
        else
            part_on_written(part, away->segment, away->count);
    }
    /* It was closed meanwhile: what has yet to become durable is not waited for. */
    if (part->phase == PART_CLOSING)
        part_settle(part, &part->waiting, PART_DONE_NOT_OWNER);
}

static void away_on_done(struct loop_msg *msg)
{
    struct away *away = container_of(msg, struct away, msg);
    struct part *part = away->part;
    assert(part->writing && part->n_tasks > 0);
    away_end(away);
    part->writing = false;
    part->n_tasks--;
    segment_unref(away->segment);
    file_unref(away->file);
    free(away);
    part_write_pending(part);
    if (part->phase == PART_REPAIRING && !part->swapping)
        part_repair(part);
    part_end_step(part);
}

/* At the end of the turn: all writes of the turn go home together and wake it once. */
static void away_on_return(struct loop_msg *msg)
{
    struct away *away = container_of(msg, struct away, msg);
    loop_post(away->home, &away->msg, away_on_done);
}

/* Their loop; the part is not touched. */
static void away_on_write(struct loop_msg *msg)
{
    struct away *away = container_of(msg, struct away, msg);
    struct env *env = away->file->env;
    away->result =
        env->ops->file_pwritev(env, away->file->fd, away->iov, (int)away->count, away->pos);
    loop_defer(away->writer, &away->msg, away_on_return);
}

void part_write_away(struct part *part, struct segment *active, struct loop *loop, unsigned count)
{
    assert(!part->writing && part->file != NULL && loop != part->home->loop);
    struct away *away = xcalloc(1, sizeof(*away) + count * sizeof(away->iov[0]));
    away->home = part->home->loop;
    away->writer = loop;
    away->part = part;
    away->segment = segment_ref(active);
    away->file = steal(&part->file);
    away->pos = active->size;
    away->count = count;
    list_init(&away->appends);
    for (unsigned i = 0; i < count; i++) {
        struct engine_append *append =
            list_entry(list_first(&part->pending), struct engine_append, link);
        list_remove(&append->link);
        list_append(&away->appends, &append->link);
        away->iov[i] = (struct iovec){append->data, append->size};
        away->size += append->size;
    }
    part->pending_size -= away->size;
    part->writing = true;
    part->n_tasks++;
    loop_post(loop, &away->msg, away_on_write);
}
