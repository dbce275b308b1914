// SPDX-License-Identifier: BSD-2-Clause
// A consumer parks a Fetch at the end of the log; two milliseconds later a producer appends one
// batch. Measured from just before the producer's send: its acknowledgement, and the Fetch answer.
// The second bounds the wake-up from above (it contains the produce request's own way in). Failure
// modes: a Fetch that is answered empty before the append is asked again and counted.
#include "mode.h"

#include "clock.h"
#include "net.h"
#include "topic.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAKE_PARK_NS     2000000u
#define WAKE_MAX_WAIT_MS 5000

struct wake {
    const struct options *options;
    struct net_conn producer;
    struct net_conn consumer;
    struct frame_buffer frame;
    struct frame_buffer request;
    int64_t offset;
    unsigned early_count; // answers without records
    struct histogram ack_latency;
    struct histogram latency;
};

static void wake_open(struct wake *wake, const struct options *options)
{
    struct frame_buffer batch = {0}, storage = {0};
    struct pump_frame frame;

    wake->options = options;
    topic_prepare(options);
    topic_offsets(options, true, &wake->offset);
    (void)frame_put_batch(&batch, 0, options->record_size);
    produce_set_version(options->version);
    produce_frame_init(&frame, &storage, options, &batch, 0);
    frame_put_i32(&wake->frame, (int32_t)(frame.size - 4u));
    frame_put_i16(&wake->frame, FRAME_API_PRODUCE);
    frame_put_i16(&wake->frame, (int16_t)options->version);
    frame_put_i32(&wake->frame, 0);
    for (unsigned i = 0; i < frame.piece_count; i++)
        frame_put_bytes(&wake->frame, frame.pieces[i].iov_base, frame.pieces[i].iov_len);
    free(frame.pieces);
    frame_buffer_deinit(&storage);
    frame_buffer_deinit(&batch);
    net_conn_init(
        &wake->producer, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
    net_conn_init(
        &wake->consumer, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
}

static void wake_ask(struct wake *wake)
{
    fetch_request_build(&wake->request, wake->options, &wake->offset, WAKE_MAX_WAIT_MS, 7);
    net_send_all(wake->consumer.fd, wake->request.data, wake->request.size);
}

// Takes the Fetch answer if it is complete. Returns whether it brought the record.
static bool wake_take_records(struct wake *wake)
{
    const uint8_t *data;
    size_t size;
    struct frame_reader reader;
    uint64_t records = 0, bytes = 0;

    (void)net_must(net_conn_fill(&wake->consumer), "receive");
    if (!net_conn_frame(&wake->consumer, &data, &size))
        return false;
    reader = frame_reader_of(data, size);
    frame_skip(&reader, 4); // correlation id
    (void)fetch_reply_take(&reader, wake->options, &wake->offset, &records, &bytes);
    if (records > 0)
        return true;
    wake->early_count++;
    wake_ask(wake);
    return false;
}

static bool wake_take_ack(struct wake *wake)
{
    const uint8_t *data;
    size_t size;
    struct frame_reader reader;

    (void)net_must(net_conn_fill(&wake->producer), "receive");
    if (!net_conn_frame(&wake->producer, &data, &size))
        return false;
    reader = frame_reader_of(data, size);
    frame_skip(&reader, 4); // correlation id
    produce_check_reply(&reader);
    return true;
}

static void wake_once(struct wake *wake)
{
    bool acked = false, woken = false;
    uint64_t start_ns;

    wake_ask(wake);
    clock_sleep_until_ns(clock_now_ns() + WAKE_PARK_NS);
    start_ns = clock_now_ns();
    net_send_all(wake->producer.fd, wake->frame.data, wake->frame.size);
    while (!acked || !woken) {
        struct pollfd fds[2] = {
            {.fd = acked ? -1 : wake->producer.fd, .events = POLLIN},
            {.fd = woken ? -1 : wake->consumer.fd, .events = POLLIN},
        };

        if (poll(fds, 2, 10000) == 0)
            net_die("wake", "no answer within 10 s");
        if (fds[1].revents != 0 && wake_take_records(wake)) {
            histogram_add(&wake->latency, clock_now_ns() - start_ns);
            woken = true;
        }
        if (fds[0].revents != 0 && wake_take_ack(wake)) {
            histogram_add(&wake->ack_latency, clock_now_ns() - start_ns);
            acked = true;
        }
    }
}

void wake_mode(const struct options *options)
{
    static struct wake wake; // two histograms: too large for a stack

    if (options->partitions != 1 || options->acks == 0)
        net_die("wake", "wants one partition and acks 1 or all");
    wake_open(&wake, options);
    for (uint32_t i = 0; i < 20; i++)
        wake_once(&wake);
    memset(&wake.latency, 0, sizeof(wake.latency));
    memset(&wake.ack_latency, 0, sizeof(wake.ack_latency));
    for (uint32_t i = 0; i < options->count; i++)
        wake_once(&wake);
    printf("{\"mode\":\"wake\",\"early_answers\":%u,", wake.early_count);
    histogram_print_json(&wake.ack_latency, "ack_us", stdout);
    printf(",");
    histogram_print_json(&wake.latency, "latency_us", stdout);
    printf("}\n");
    net_conn_deinit(&wake.producer);
    net_conn_deinit(&wake.consumer);
    frame_buffer_deinit(&wake.frame);
    frame_buffer_deinit(&wake.request);
}
