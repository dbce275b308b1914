// SPDX-License-Identifier: BSD-2-Clause
// Latency from the moment a record was due to be produced to the moment a consumer holds it.
//
// The schedule is open: batch n is due at start + n * period whatever the broker does. A stall
// therefore delays all batches that were due meanwhile, and all of them count from their due time
// (no coordinated omission). The topic is fresh and has one partition, so a record's offset says
// which batch it was in and nothing has to be written into the payload.
//
//   due n ---> send ---> acknowledged (ack latency) and ---> in a Fetch answer (end-to-end latency)
//
// Failure modes: as everywhere in the bench, an error code or a lost connection ends the program. A
// broker that cannot keep the rate up is given a few seconds more; what is missing then is counted
// as `missing`, and with the latency it has by then, which is less than it would have had.
#include "mode.h"

#include "clock.h"
#include "measure.h"
#include "net.h"
#include "topic.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define E2E_MAX_WAIT_MS 500
#define E2E_GRACE_NS    5000000000u // after the last batch was due

struct e2e {
    const struct options *options;
    struct net_conn producer;
    struct net_conn consumer;
    struct frame_buffer frame;   // the Produce request
    struct frame_buffer request; // the Fetch request
    uint32_t batch_records;
    uint64_t start_ns; // due time of batch 0
    uint64_t period_ns;
    uint64_t measured_from_ns; // latencies of batches due earlier are warm-up
    uint64_t sent;             // batches sent completely
    uint64_t acked;
    uint64_t total; // batches of this run
    size_t pos;     // bytes sent of batch number `sent`
    int64_t offset; // next one to fetch
    struct histogram ack_latency;
    struct histogram latency;
    uint64_t late_max_ns; // how far the generator itself fell behind its schedule
    uint64_t missing;     // batches that were not fetched in time
};

static uint64_t e2e_due_ns(const struct e2e *e2e, uint64_t number)
{
    return e2e->start_ns + number * e2e->period_ns;
}

static void e2e_record(
    const struct e2e *e2e, struct histogram *histogram, uint64_t number, uint64_t now_ns)
{
    uint64_t due_ns = e2e_due_ns(e2e, number);

    if (due_ns >= e2e->measured_from_ns)
        histogram_add(histogram, now_ns - due_ns);
}

static void e2e_send_due(struct e2e *e2e)
{
    uint64_t now_ns = clock_now_ns();

    while (e2e->sent < e2e->total && e2e_due_ns(e2e, e2e->sent) <= now_ns) {
        uint8_t *data = e2e->frame.data;
        ssize_t size;

        frame_patch_i32(data + 8, (int32_t)(e2e->sent & 0x7fffffffu));
        size = send(e2e->producer.fd, data + e2e->pos, e2e->frame.size - e2e->pos,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0)
            net_die("send", strerror(errno));
        e2e->pos += (size_t)size;
        if (e2e->pos < e2e->frame.size)
            return;
        if (now_ns - e2e_due_ns(e2e, e2e->sent) > e2e->late_max_ns &&
            e2e_due_ns(e2e, e2e->sent) >= e2e->measured_from_ns)
            e2e->late_max_ns = now_ns - e2e_due_ns(e2e, e2e->sent);
        e2e->pos = 0;
        e2e->sent++;
    }
}

static void e2e_take_acks(struct e2e *e2e)
{
    const uint8_t *data;
    size_t size;
    uint64_t now_ns;

    (void)net_must(net_conn_fill(&e2e->producer), "receive");
    now_ns = clock_now_ns();
    while (net_conn_frame(&e2e->producer, &data, &size)) {
        struct frame_reader reader = frame_reader_of(data, size);

        if (frame_get_i32(&reader) != (int32_t)(e2e->acked & 0x7fffffffu))
            net_die("answer", "unexpected correlation id");
        produce_check_reply(&reader);
        e2e_record(e2e, &e2e->ack_latency, e2e->acked++, now_ns);
    }
}

static void e2e_ask(struct e2e *e2e)
{
    fetch_request_build(&e2e->request, e2e->options, &e2e->offset, E2E_MAX_WAIT_MS, 7);
    net_send_all(e2e->consumer.fd, e2e->request.data, e2e->request.size);
}

static void e2e_take_records(struct e2e *e2e)
{
    const uint8_t *data;
    size_t size;

    (void)net_must(net_conn_fill(&e2e->consumer), "receive");
    while (net_conn_frame(&e2e->consumer, &data, &size)) {
        struct frame_reader reader = frame_reader_of(data, size);
        uint64_t now_ns = clock_now_ns(), records = 0, bytes = 0;
        int64_t offset = e2e->offset;

        frame_skip(&reader, 4); // correlation id
        (void)fetch_reply_take(&reader, e2e->options, &e2e->offset, &records, &bytes);
        for (; offset < e2e->offset; offset += e2e->batch_records)
            e2e_record(e2e, &e2e->latency, (uint64_t)offset / e2e->batch_records, now_ns);
        e2e_ask(e2e);
    }
}

static void e2e_wait(struct e2e *e2e)
{
    struct pollfd fds[2] = {
        {.fd = e2e->producer.fd, .events = POLLIN},
        {.fd = e2e->consumer.fd, .events = POLLIN},
    };
    uint64_t now_ns = clock_now_ns(), due_ns = e2e_due_ns(e2e, e2e->sent), wait_ns = 100000000;
    struct timespec timeout;

    if (e2e->sent < e2e->total && due_ns <= now_ns)
        fds[0].events |= POLLOUT;
    else if (e2e->sent < e2e->total && due_ns - now_ns < wait_ns)
        wait_ns = due_ns - now_ns;
    timeout = (struct timespec){.tv_nsec = (long)wait_ns};
    (void)ppoll(fds, 2, &timeout, NULL);
    if (fds[0].revents & ~POLLOUT)
        e2e_take_acks(e2e);
    if (fds[1].revents)
        e2e_take_records(e2e);
}

static void e2e_open(struct e2e *e2e, const struct options *options)
{
    struct frame_buffer batch = {0}, storage = {0};
    struct pump_frame frame;

    topic_prepare(options);
    topic_offsets(options, true, &e2e->offset);
    if (e2e->offset != 0)
        net_die("e2e wants a fresh topic", options->topic);
    e2e->batch_records = frame_put_batch(&batch, options->batch_size, options->record_size);
    produce_set_version(options->version);
    produce_frame_init(&frame, &storage, options, &batch, 0);
    frame_put_i32(&e2e->frame, (int32_t)(frame.size - 4u));
    frame_put_i16(&e2e->frame, FRAME_API_PRODUCE);
    frame_put_i16(&e2e->frame, (int16_t)options->version);
    frame_put_i32(&e2e->frame, 0);
    for (unsigned i = 0; i < frame.piece_count; i++)
        frame_put_bytes(&e2e->frame, frame.pieces[i].iov_base, frame.pieces[i].iov_len);
    free(frame.pieces);
    frame_buffer_deinit(&storage);
    frame_buffer_deinit(&batch);
    net_conn_init(
        &e2e->producer, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
    net_conn_init(
        &e2e->consumer, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
}

// Whether all that was due has come back.
static bool e2e_complete(const struct e2e *e2e)
{
    return e2e->acked == e2e->total && (uint64_t)e2e->offset >= e2e->total * e2e->batch_records;
}

static void e2e_give_up(struct e2e *e2e)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t fetched = (uint64_t)e2e->offset / e2e->batch_records;

    e2e->missing = e2e->total - fetched;
    for (uint64_t number = fetched; number < e2e->total; number++)
        e2e_record(e2e, &e2e->latency, number, now_ns);
    for (uint64_t number = e2e->acked; number < e2e->total; number++)
        e2e_record(e2e, &e2e->ack_latency, number, now_ns);
}

static void e2e_print(struct e2e *e2e, double seconds, uint64_t cpu_ns)
{
    printf("{\"mode\":\"e2e\",\"seconds\":%.3f,\"rate\":%u,\"records\":%llu,\"server_cpu_s\":%.6f,"
           "\"generator_late_max_us\":%.1f,\"missing\":%llu,",
        seconds, e2e->options->rate, (unsigned long long)(e2e->latency.count * e2e->batch_records),
        (double)cpu_ns / 1e9, (double)e2e->late_max_ns / 1000.0, (unsigned long long)e2e->missing);
    histogram_print_json(&e2e->ack_latency, "ack_us", stdout);
    printf(",");
    histogram_print_json(&e2e->latency, "latency_us", stdout);
    printf("}\n");
    fflush(stdout);
}

void e2e_mode(const struct options *options)
{
    static struct e2e e2e; // two histograms: too large for a stack
    uint64_t cpu_ns, end_ns, warmup_ns = (uint64_t)options->warmup_ms * 1000000u;

    if (options->partitions != 1 || options->acks == 0)
        net_die("e2e", "wants one partition and acks 1 or all");
    e2e.options = options;
    e2e_open(&e2e, options);
    (void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    e2e_ask(&e2e);
    e2e.period_ns = 1000000000u * (uint64_t)e2e.batch_records / options->rate;
    e2e.start_ns = clock_now_ns() + 10000000u;
    e2e.measured_from_ns = e2e.start_ns + warmup_ns;
    e2e.total = (warmup_ns + (uint64_t)options->seconds * 1000000000u) / e2e.period_ns;
    end_ns = e2e_due_ns(&e2e, e2e.total) + E2E_GRACE_NS;
    cpu_ns = clock_cpu_ns((pid_t)options->pid);
    while (!e2e_complete(&e2e) && clock_now_ns() < end_ns) {
        e2e_send_due(&e2e);
        e2e_wait(&e2e);
    }
    e2e_give_up(&e2e);
    cpu_ns = clock_cpu_ns((pid_t)options->pid) - cpu_ns;
    e2e_print(&e2e, (double)(clock_now_ns() - e2e.start_ns) / 1e9, cpu_ns);
    net_conn_deinit(&e2e.producer);
    net_conn_deinit(&e2e.consumer);
    frame_buffer_deinit(&e2e.frame);
    frame_buffer_deinit(&e2e.request);
}
