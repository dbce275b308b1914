// SPDX-License-Identifier: BSD-2-Clause
// Produce requests are made once, before the clock runs: the same batch for every partition,
// between short stretches of framing. Versions 3 to 8 are classic, 9 is flexible.
#include "mode.h"

#include "net.h"
#include "topic.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t produce_version = 7;

void produce_set_version(uint32_t version)
{
    produce_version = version;
}

static void produce_put_prefix(struct frame_buffer *storage, const struct options *options)
{
    bool flexible = options->version >= 9;

    frame_put_string(storage, FRAME_CLIENT_ID, false);
    if (flexible)
        frame_put_uvarint(storage, 0); // header tags
    if (flexible)
        frame_put_uvarint(storage, 0); // null transactional id
    else
        frame_put_i16(storage, -1);
    frame_put_i16(storage, options->acks == 2 ? -1 : (int16_t)options->acks);
    frame_put_i32(storage, 30000); // timeout
    if (flexible)
        frame_put_uvarint(storage, 2);
    else
        frame_put_i32(storage, 1);
    frame_put_string(storage, options->topic, flexible);
    if (flexible)
        frame_put_uvarint(storage, options->batches + 1u);
    else
        frame_put_i32(storage, (int32_t)options->batches);
}

static void produce_put_partition(
    struct frame_buffer *storage, const struct options *options, uint32_t index, size_t batch_size)
{
    frame_put_i32(storage, (int32_t)index);
    if (options->version >= 9)
        frame_put_uvarint(storage, batch_size + 1u);
    else
        frame_put_i32(storage, (int32_t)batch_size);
}

void produce_frame_init(struct pump_frame *frame, struct frame_buffer *storage,
    const struct options *options, const struct frame_buffer *batch, uint32_t first)
{
    unsigned count = 2u * options->batches + 1u;
    size_t *ends = calloc(options->batches + 1u, sizeof(*ends)), start = 0;

    frame->pieces = calloc(count, sizeof(*frame->pieces));
    assert(frame->pieces != NULL && ends != NULL);
    produce_put_prefix(storage, options);
    for (uint32_t i = 0; i < options->batches; i++) {
        produce_put_partition(storage, options, (first + i) % options->partitions, batch->size);
        ends[i] = storage->size;
        if (options->version >= 9)
            frame_put_uvarint(storage, 0); // partition tags
    }
    if (options->version >= 9)
        frame_put_i16(storage, 0); // topic tags, request tags
    ends[options->batches] = storage->size;

    for (uint32_t i = 0; i <= options->batches; i++) {
        frame->pieces[2u * i] = (struct iovec){storage->data + start, ends[i] - start};
        start = ends[i];
        if (i < options->batches)
            frame->pieces[2u * i + 1u] = (struct iovec){batch->data, batch->size};
    }
    frame->piece_count = count;
    frame->size = FRAME_HEAD_SIZE + storage->size + options->batches * batch->size;
    free(ends);
}

void produce_check_reply(struct frame_reader *reader)
{
    bool flexible = produce_version >= 9;

    frame_skip_tags(reader, flexible);
    for (uint32_t topics = frame_get_count(reader, flexible); topics > 0 && reader->ok; topics--) {
        frame_skip_string(reader, flexible);
        for (uint32_t count = frame_get_count(reader, flexible); count > 0 && reader->ok; count--) {
            int32_t index = frame_get_i32(reader);
            int16_t error = frame_get_i16(reader);

            if (error != 0) {
                fprintf(stderr, "bench: partition %d answered error %d\n", index, error);
                net_die("produce", "refused");
            }
            frame_skip(reader, produce_version >= 5 ? 24 : 16); // offset, time, start offset
            if (produce_version >= 8) {
                (void)frame_get_count(
                    reader, flexible);               // record errors: none without an error code
                frame_skip_string(reader, flexible); // message
            }
            frame_skip_tags(reader, flexible);
        }
        frame_skip_tags(reader, flexible);
    }
}

void produce_mode(const struct options *options)
{
    uint32_t count = (options->partitions + options->batches - 1u) / options->batches;
    struct pump_frame *frames = calloc(count, sizeof(*frames));
    struct frame_buffer *storages = calloc(count, sizeof(*storages)), batch = {0};
    struct histogram latency = {0};
    struct measure_result result;
    uint32_t records;

    assert(frames != NULL && storages != NULL);
    if (!options->floor)
        topic_prepare(options);
    produce_set_version(options->version);
    records = frame_put_batch(&batch, options->batch_size, options->record_size);
    for (uint32_t i = 0; i < count; i++) {
        produce_frame_init(&frames[i], &storages[i], options, &batch, i * options->batches);
        frames[i].record_count = records * options->batches;
    }
    pump_run(
        &(struct pump){
            .options = options,
            .frames = frames,
            .frame_count = count,
            .api = FRAME_API_PRODUCE,
            .version = (int16_t)options->version,
            .no_reply = options->acks == 0 && !options->floor,
            .on_reply = produce_check_reply,
        },
        &result, &latency);
    measure_print_json(&result, "produce", &latency, "latency_us");
    for (uint32_t i = 0; i < count; i++) {
        free(frames[i].pieces);
        frame_buffer_deinit(&storages[i]);
    }
    free(frames);
    free(storages);
    frame_buffer_deinit(&batch);
}
