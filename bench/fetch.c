// SPDX-License-Identifier: BSD-2-Clause
// Consumers drain the topic: each connection has one Fetch v11 in flight over all partitions and
// keeps its own offsets, so n connections are a fan-out of n. With `rewind` a consumer that has
// read everything begins again, so a log in the page cache serves a run of any length; without it
// consumers that reach the end wait there for more. A `lean` consumer has the kernel drop what
// follows the first batch's header, so that the generator does not use up the machine.
// Failure modes: an error code, a short answer or a lost connection ends the program.
#include "mode.h"

#include "clock.h"
#include "net.h"
#include "topic.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FETCH_EVENTS_MAX  64
#define FETCH_MAX_WAIT_MS 500
#define FETCH_HEAD_SIZE   256u // of an answer for one partition, with its first batch's header

struct fetch_consumer {
    struct net_conn net;
    struct frame_buffer request;
    int64_t *offsets;
    uint64_t started_ns;
    uint8_t head[FETCH_HEAD_SIZE]; // lean: the start of the answer
    size_t received;               // lean: of the answer, size field included
};

struct fetch_worker {
    const struct options *options;
    const int64_t *first_offsets;
    struct measure *measure;
    struct fetch_consumer *consumers;
    unsigned count;
    int epoll_fd;
    pthread_t thread;
    struct histogram latency;
};

void fetch_request_build(struct frame_buffer *request, const struct options *options,
    const int64_t *offsets, int32_t max_wait_ms, int32_t id)
{
    frame_begin(request, FRAME_API_FETCH, 11, false, id);
    frame_put_i32(request, -1); // replica id
    frame_put_i32(request, max_wait_ms);
    frame_put_i32(request, 1); // minimum bytes
    frame_put_i32(request, (int32_t)options->fetch_size);
    frame_put_i8(request, 0);   // isolation level
    frame_put_i32(request, 0);  // session id
    frame_put_i32(request, -1); // session epoch
    frame_put_i32(request, 1);
    frame_put_string(request, options->topic, false);
    frame_put_i32(request, (int32_t)options->partitions);
    for (uint32_t i = 0; i < options->partitions; i++) {
        frame_put_i32(request, (int32_t)i);
        frame_put_i32(request, -1); // leader epoch
        frame_put_i64(request, offsets[i]);
        frame_put_i64(request, -1); // log start offset
        frame_put_i32(request, (int32_t)options->fetch_size);
    }
    frame_put_i32(request, 0);            // forgotten topics
    frame_put_string(request, "", false); // rack
    frame_end(request);
}

static bool fetch_partition_take(struct frame_reader *reader, const struct options *options,
    int64_t *offsets, uint64_t *inout_records, uint64_t *inout_bytes)
{
    uint32_t index = (uint32_t)frame_get_i32(reader);
    int16_t error = frame_get_i16(reader);
    int64_t high_watermark = frame_get_i64(reader);
    int32_t size;

    if (!reader->ok || error != 0 || index >= options->partitions) {
        fprintf(stderr, "bench: partition %u answered error %d\n", index, error);
        net_die("fetch", "refused");
    }
    frame_skip(reader, 16); // last stable offset, log start offset
    frame_skip(reader, 16u * frame_get_count(reader, false)); // aborted transactions
    frame_skip(reader, 4);                                    // preferred replica
    size = frame_get_i32(reader);
    if (size > 0 && options->lean) {
        frame_scan_alike(reader->pos, (size_t)size, &offsets[index], inout_records, inout_bytes);
    } else if (size > 0) {
        const uint8_t *records = reader->pos;
        frame_skip(reader, (size_t)size);
        if (reader->ok)
            frame_scan_batches(records, (size_t)size, &offsets[index], inout_records, inout_bytes);
    }
    return offsets[index] >= high_watermark;
}

bool fetch_reply_take(struct frame_reader *reader, const struct options *options, int64_t *offsets,
    uint64_t *inout_records, uint64_t *inout_bytes)
{
    bool at_end = true;

    frame_skip(reader, 4); // throttle time
    if (frame_get_i16(reader) != 0)
        net_die("fetch", "answered by an error");
    frame_skip(reader, 4); // session id
    for (uint32_t topics = frame_get_count(reader, false); topics > 0 && reader->ok; topics--) {
        frame_skip_string(reader, false);
        for (uint32_t count = frame_get_count(reader, false); count > 0 && reader->ok; count--)
            if (!fetch_partition_take(reader, options, offsets, inout_records, inout_bytes))
                at_end = false;
    }
    if (!reader->ok)
        net_die("fetch", "short answer");
    return at_end;
}

static void fetch_consumer_ask(struct fetch_worker *worker, struct fetch_consumer *consumer)
{
    fetch_request_build(
        &consumer->request, worker->options, consumer->offsets, FETCH_MAX_WAIT_MS, 7);
    consumer->started_ns = clock_now_ns();
    net_send_all(consumer->net.fd, consumer->request.data, consumer->request.size);
    atomic_fetch_add_explicit(
        &worker->measure->bytes_out, consumer->request.size, memory_order_relaxed);
}

static void fetch_consumer_take(
    struct fetch_worker *worker, struct fetch_consumer *consumer, const uint8_t *data, size_t size)
{
    struct frame_reader reader = frame_reader_of(data, size);
    struct measure *measure = worker->measure;
    uint64_t records = 0, bytes = 0;

    if (!worker->options->floor) {
        frame_skip(&reader, 4); // correlation id
        if (fetch_reply_take(&reader, worker->options, consumer->offsets, &records, &bytes) &&
            worker->options->rewind)
            memcpy(consumer->offsets, worker->first_offsets,
                worker->options->partitions * sizeof(int64_t));
    }
    atomic_fetch_add_explicit(&measure->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&measure->records, records, memory_order_relaxed);
    if (atomic_load_explicit(&measure->measuring, memory_order_relaxed))
        histogram_add(&worker->latency, clock_now_ns() - consumer->started_ns);
}

// Bytes wanted of the answer so far: its head, or all of it.
static size_t fetch_lean_size(const struct fetch_consumer *consumer)
{
    struct frame_reader reader = frame_reader_of(consumer->head, 4);

    return consumer->received < 4 ? FETCH_HEAD_SIZE : (size_t)frame_get_i32(&reader) + 4u;
}

// Receives once; true when the answer is whole.
static bool fetch_lean_receive(struct fetch_worker *worker, struct fetch_consumer *consumer)
{
    bool in_head = consumer->received < FETCH_HEAD_SIZE;
    size_t end = fetch_lean_size(consumer);
    uint8_t *into = in_head ? consumer->head + consumer->received : NULL;
    ssize_t size;

    if (in_head && end > FETCH_HEAD_SIZE)
        end = FETCH_HEAD_SIZE;
    size = recv(
        consumer->net.fd, into, end - consumer->received, MSG_DONTWAIT | (in_head ? 0 : MSG_TRUNC));
    if (size == 0 || (size < 0 && errno != EAGAIN))
        net_die("receive", size == 0 ? "the connection was closed" : strerror(errno));
    if (size < 0)
        return false;
    consumer->received += (size_t)size;
    atomic_fetch_add_explicit(&worker->measure->bytes_in, (uint64_t)size, memory_order_relaxed);
    return consumer->received >= 4 && consumer->received == fetch_lean_size(consumer);
}

static void fetch_lean_on_event(struct fetch_worker *worker, struct fetch_consumer *consumer)
{
    size_t before;

    do {
        before = consumer->received;
        if (fetch_lean_receive(worker, consumer)) {
            size_t size =
                consumer->received < FETCH_HEAD_SIZE ? consumer->received : FETCH_HEAD_SIZE;
            consumer->received = 0;
            fetch_consumer_take(worker, consumer, consumer->head + 4, size - 4u);
            fetch_consumer_ask(worker, consumer);
            return;
        }
    } while (consumer->received > before);
}

static void fetch_consumer_on_event(struct fetch_worker *worker, struct fetch_consumer *consumer)
{
    int received = net_must(net_conn_fill(&consumer->net), "receive");
    const uint8_t *data;
    size_t size;

    atomic_fetch_add_explicit(&worker->measure->bytes_in, (uint64_t)received, memory_order_relaxed);
    while (net_conn_frame(&consumer->net, &data, &size)) {
        fetch_consumer_take(worker, consumer, data, size);
        fetch_consumer_ask(worker, consumer);
    }
}

static void *fetch_worker_run(void *argument)
{
    struct fetch_worker *worker = argument;
    struct epoll_event events[FETCH_EVENTS_MAX];

    for (unsigned i = 0; i < worker->count; i++)
        fetch_consumer_ask(worker, &worker->consumers[i]);
    while (!atomic_load_explicit(&worker->measure->stop, memory_order_relaxed)) {
        int count = epoll_wait(worker->epoll_fd, events, FETCH_EVENTS_MAX, 100);
        for (int i = 0; i < count; i++)
            worker->options->lean ? fetch_lean_on_event(worker, events[i].data.ptr)
                                  : fetch_consumer_on_event(worker, events[i].data.ptr);
    }
    return NULL;
}

static void fetch_worker_init(struct fetch_worker *worker, const struct options *options,
    const int64_t *first_offsets, struct measure *measure, unsigned index)
{
    size_t offsets_size = options->partitions * sizeof(int64_t);

    worker->options = options;
    worker->first_offsets = first_offsets;
    worker->measure = measure;
    worker->count = options->connections / options->threads +
                    (index < options->connections % options->threads ? 1u : 0u);
    worker->consumers = calloc(worker->count + 1u, sizeof(*worker->consumers));
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert(worker->consumers != NULL && worker->epoll_fd >= 0);
    for (unsigned i = 0; i < worker->count; i++) {
        struct fetch_consumer *consumer = &worker->consumers[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = consumer};

        net_conn_init(&consumer->net,
            net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
        consumer->offsets = malloc(offsets_size);
        assert(consumer->offsets != NULL);
        memcpy(consumer->offsets, first_offsets, offsets_size);
        (void)net_must(
            epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, consumer->net.fd, &event) < 0 ? -errno : 0,
            "epoll");
    }
}

static void fetch_worker_join(struct fetch_worker *worker, struct histogram *inout_latency)
{
    (void)pthread_join(worker->thread, NULL);
    histogram_merge(inout_latency, &worker->latency);
    for (unsigned i = 0; i < worker->count; i++) {
        net_conn_deinit(&worker->consumers[i].net);
        frame_buffer_deinit(&worker->consumers[i].request);
        free(worker->consumers[i].offsets);
    }
    free(worker->consumers);
}

void fetch_mode(const struct options *options)
{
    struct fetch_worker *workers = calloc(options->threads, sizeof(*workers));
    int64_t *first_offsets = calloc(options->partitions, sizeof(*first_offsets));
    struct histogram latency = {0};
    struct measure measure = {0};
    struct measure_result result;

    assert(workers != NULL && first_offsets != NULL);
    if (options->lean && options->partitions != 1)
        net_die("fetch", "lean consumers read one partition");
    if (!options->floor)
        topic_offsets(options, options->tail, first_offsets);
    for (unsigned i = 0; i < options->threads; i++)
        fetch_worker_init(&workers[i], options, first_offsets, &measure, i);
    for (unsigned i = 0; i < options->threads; i++)
        (void)net_must(
            -pthread_create(&workers[i].thread, NULL, fetch_worker_run, &workers[i]), "thread");
    measure_window(&measure, options, &result);
    for (unsigned i = 0; i < options->threads; i++)
        fetch_worker_join(&workers[i], &latency);
    measure_print_json(&result, "fetch", &latency, "latency_us");
    free(workers);
    free(first_offsets);
}
