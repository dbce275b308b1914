// SPDX-License-Identifier: BSD-2-Clause
/*
 * A watched descriptor: two libevent events in one allocation, one for reading (or for the end of
 * the peer), one for writing, so that switching one of them costs one epoll_ctl. Reading and
 * writing are reported by separate calls of fn.
 */
#include "base/error.h"
#include "loop/loop_internal.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <assert.h>
#include <errno.h>

struct io_events {
    struct event read, write;
};

static struct io_events *io_events(struct loop_io *io)
{
    return (struct io_events *)io->event;
}

static void io_on_read(evutil_socket_t fd, short what, void *arg)
{
    struct loop_io *io = arg;
    (void)fd;
    loop_woken(io->loop);
    io->fn(io, (what & EV_CLOSED) != 0 ? LOOP_IO_CLOSED : LOOP_IO_READ);
}

static void io_on_write(evutil_socket_t fd, short what, void *arg)
{
    struct loop_io *io = arg;
    (void)fd;
    (void)what;
    loop_woken(io->loop);
    io->fn(io, LOOP_IO_WRITE);
}

int loop_io_start(
    struct loop_io *io, struct loop *loop, int fd, void (*fn)(struct loop_io *io, unsigned events))
{
    static_assert(offsetof(struct io_events, read) == 0, "io->event points at the pair");
    loop_assert_owner(loop);
    assert(fd >= 0);
    *io = (struct loop_io){.loop = loop, .fd = fd, .fn = fn};
    struct io_events *events = xnew(struct io_events);
    io->event = &events->read;
    if (event_assign(&events->read, loop->base, fd, EV_READ | EV_PERSIST, io_on_read, io) < 0 ||
        event_assign(&events->write, loop->base, fd, EV_WRITE | EV_PERSIST, io_on_write, io) < 0) {
        free(events);
        *io = (struct loop_io){.fd = -1};
        return -EINVAL;
    }
    return 0;
}

static void io_watch_read(struct loop_io *io, unsigned events)
{
    struct event *event = &io_events(io)->read;
    const unsigned mask = LOOP_IO_READ | LOOP_IO_CLOSED;
    if ((io->events & mask) == (events & mask))
        return;
    if ((io->events & mask) != 0)
        event_del(event);
    if ((events & mask) == 0)
        return;
    short how = EV_READ | EV_PERSIST;
    if ((events & LOOP_IO_CLOSED) != 0)
        how |= EV_CLOSED | EV_ET;
    int r = event_assign(event, io->loop->base, io->fd, how, io_on_read, io);
    assert(r == 0);
    r = event_add(event, NULL);
    assert(r == 0);
}

static void io_watch_write(struct loop_io *io, unsigned events)
{
    struct event *event = &io_events(io)->write;
    if ((io->events & LOOP_IO_WRITE) == (events & LOOP_IO_WRITE))
        return;
    int r = (events & LOOP_IO_WRITE) != 0 ? event_add(event, NULL) : event_del(event);
    assert(r == 0);
}

void loop_io_watch(struct loop_io *io, unsigned events)
{
    assert(io->event != NULL);
    assert((events & LOOP_IO_CLOSED) == 0 || events == LOOP_IO_CLOSED);
    loop_assert_owner(io->loop);
    if (events == io->events)
        return;
    /* Edge- and level-triggered events must not meet on one descriptor: remove before adding. */
    if ((io->events & ~events & LOOP_IO_WRITE) != 0) {
        io_watch_write(io, events);
        io->events &= ~(unsigned)LOOP_IO_WRITE;
    }
    io_watch_read(io, events);
    io_watch_write(io, events);
    io->events = events;
}

void loop_io_stop(struct loop_io *io)
{
    if (io->event == NULL)
        return;
    loop_io_watch(io, 0);
    free(io_events(io));
    *io = (struct loop_io){.fd = -1};
}
