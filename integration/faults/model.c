// SPDX-License-Identifier: BSD-2-Clause
/*
 * The scripted client. A round sends a few batches to each lane (acks=1 and acks=all, idempotent
 * ones, a compacted topic), commits an offset, and now and then runs a transaction, deletes
 * records, and lets a topic come and go. Up to MODEL_WINDOW requests are in flight, so a kill finds
 * some of them half done.
 *
 * Failures: a connection that ends is the kill that the run is about; what was in flight keeps an
 * open fate. An error code is a violation, for nothing was done that would excuse one.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TXN_ID        "faults-txn"
#define GROUP         "faults-group"
#define MODEL_LIST    1024 /* transactions and lives; a script has fewer */
#define MODEL_PATIENT 400  /* times 5 ms, for what may be busy for a moment */

static const struct lane lanes[LANES] = {
    [LANE_ONE_0] = {.topic = "one", .partition = 0, .acks = 1},
    [LANE_ONE_1] = {.topic = "one", .partition = 1, .acks = 1},
    [LANE_ALL_0] = {.topic = "all", .partition = 0, .acks = -1, .idempotent = true},
    [LANE_ALL_1] = {.topic = "all", .partition = 1, .acks = -1, .idempotent = true},
    [LANE_KEYS] = {.topic = "keys", .partition = 0, .acks = -1, .idempotent = true},
    [LANE_TRIM] = {.topic = "trim", .partition = 0, .acks = 1},
    [LANE_TX_0] = {.topic = "tx", .partition = 0, .acks = -1, .idempotent = true},
    [LANE_TX_1] = {.topic = "tx", .partition = 1, .acks = -1, .idempotent = true},
    [LANE_GONE] = {.topic = "gone", .partition = 0, .acks = -1},
};

int model_fault(struct model *model, const char *format, ...)
{
    if (model->fault[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(model->fault, sizeof(model->fault), format, arguments);
        va_end(arguments);
    }
    return -1;
}

void model_init(struct model *model)
{
    *model = (struct model){.wire.fd = -1};
    memcpy(model->lanes, lanes, sizeof(lanes));
    model->txns = calloc(MODEL_LIST, sizeof(*model->txns));
    model->lives = calloc(MODEL_LIST, sizeof(*model->lives));
    if (model->txns == NULL || model->lives == NULL)
        abort();
}

void model_deinit(struct model *model)
{
    for (int i = 0; i < LANES; i++)
        free(model->lanes[i].sent);
    free(model->txns);
    free(model->lives);
    wire_deinit(&model->wire);
}

size_t model_value(int lane, uint16_t mark, uint32_t id, uint8_t *data)
{
    int head = snprintf((char *)data, MODEL_VALUE_MAX, "lane=%d mark=%u id=%u ", lane, mark, id);
    size_t size = (size_t)head + 40 + (id * 37u + (unsigned)lane) % 120u;
    for (size_t i = (size_t)head; i < size; i++)
        data[i] = (uint8_t)('a' + (id * 7u + i) % 26u);
    return size;
}

int model_key(int lane, uint32_t id)
{
    return lane == LANE_KEYS ? (int)(id * 5u % MODEL_KEYS) : -1;
}

/* --- produce --- */

static struct sent *lane_add(struct lane *lane, uint16_t mark, int count)
{
    if (lane->n_sent == lane->sent_max) {
        lane->sent_max = lane->sent_max * 2 + 64;
        lane->sent = realloc(lane->sent, lane->sent_max * sizeof(*lane->sent));
        if (lane->sent == NULL)
            abort();
    }
    struct sent *sent = &lane->sent[lane->n_sent++];
    *sent = (struct sent){.id = lane->next_id,
        .count = (uint16_t)count,
        .mark = mark,
        .sequence = lane->next_sequence,
        .offset = -1};
    lane->next_id += (uint32_t)count;
    lane->next_sequence += count;
    return sent;
}

static int produce_send(struct model *model, int number, const struct sent *sent)
{
    struct lane *lane = &model->lanes[number];
    bool in_txn = number == LANE_TX_0 || number == LANE_TX_1;
    uint8_t data[MODEL_BATCH_MAX][MODEL_VALUE_MAX];
    struct wire_value values[MODEL_BATCH_MAX];
    struct wire_batch batch = {.producer_id = -1,
        .epoch = -1,
        .sequence = sent->sequence,
        .transactional = in_txn,
        .count = sent->count,
        .values = values};
    for (int i = 0; i < sent->count; i++) {
        uint32_t id = sent->id + (uint32_t)i;
        values[i] = (struct wire_value){
            .key = model_key(number, id),
            .data = data[i],
            .size = model_value(number, sent->mark, id, data[i]),
        };
    }
    if (lane->idempotent) {
        batch.producer_id = in_txn ? model->txn_producer_id : model->producer_id;
        batch.epoch = in_txn ? model->txn_epoch : model->epoch;
    }
    struct frame_buffer *out = wire_begin(&model->wire, FRAME_API_PRODUCE, 3);
    wire_put_produce(out, in_txn ? TXN_ID : NULL, lane->acks, lane->topic, lane->partition, &batch);
    return wire_send(&model->wire);
}

static int produce_reply(struct model *model, struct frame_reader *reader, int number, size_t index)
{
    struct lane *lane = &model->lanes[number];
    struct sent *sent = &lane->sent[index];
    frame_get_count(reader, false);
    frame_skip_string(reader, false);
    frame_get_count(reader, false);
    frame_get_i32(reader);
    int16_t code = frame_get_i16(reader);
    int64_t offset = frame_get_i64(reader);
    if (!reader->ok || code != 0)
        return model_fault(model, "produce to %s-%d: error %d", lane->topic, lane->partition, code);
    if (sent->fate == FATE_ACKED && sent->offset != offset)
        return model_fault(model, "%s-%d: id %u was at %lld, sent again at %lld", lane->topic,
            lane->partition, sent->id, (long long)sent->offset, (long long)offset);
    sent->fate = FATE_ACKED;
    sent->offset = offset;
    return 0;
}

/* --- requests in flight --- */

static int commit_reply(struct model *model, struct frame_reader *reader, int64_t value)
{
    frame_get_count(reader, false);
    frame_skip_string(reader, false);
    frame_get_count(reader, false);
    frame_get_i32(reader);
    int16_t code = frame_get_i16(reader);
    if (!reader->ok || code != 0)
        return model_fault(model, "offset commit: error %d", code);
    model->commit.acked = value;
    return 0;
}

static int trim_reply(struct model *model, struct frame_reader *reader, int64_t value)
{
    frame_get_i32(reader);
    frame_get_count(reader, false);
    frame_skip_string(reader, false);
    frame_get_count(reader, false);
    frame_get_i32(reader);
    int64_t low = frame_get_i64(reader);
    int16_t code = frame_get_i16(reader);
    if (!reader->ok || code != 0 || low < value)
        return model_fault(model, "delete records before %lld: error %d, low watermark %lld",
            (long long)value, code, (long long)low);
    model->trim.acked = value;
    return 0;
}

static int flight_land(struct model *model)
{
    struct frame_reader reader;
    struct flight flight = model->flight[0];
    if (wire_receive(&model->wire, &reader) < 0)
        return -1;
    model->n_flight--;
    memmove(model->flight, model->flight + 1, model->n_flight * sizeof(flight));
    if (flight.kind == KIND_PRODUCE)
        return produce_reply(model, &reader, flight.lane, flight.index);
    if (flight.kind == KIND_COMMIT)
        return commit_reply(model, &reader, flight.value);
    return trim_reply(model, &reader, flight.value);
}

static int flight_start(struct model *model, struct flight flight)
{
    while (model->n_flight >= MODEL_WINDOW) {
        if (flight_land(model) < 0)
            return -1;
    }
    model->flight[model->n_flight++] = flight;
    return 0;
}

int model_drain(struct model *model)
{
    while (model->n_flight > 0) {
        if (flight_land(model) < 0)
            return -1;
    }
    return 0;
}

int model_produce(struct model *model, int number, uint16_t mark, int count)
{
    struct lane *lane = &model->lanes[number];
    if (flight_start(model,
            (struct flight){.kind = KIND_PRODUCE, .lane = number, .index = lane->n_sent}) < 0)
        return -1;
    return produce_send(model, number, lane_add(lane, mark, count));
}

int model_resend(struct model *model, int number, size_t index)
{
    struct frame_reader reader;
    if (model_drain(model) < 0 ||
        produce_send(model, number, &model->lanes[number].sent[index]) < 0 ||
        wire_receive(&model->wire, &reader) < 0)
        return -1;
    return produce_reply(model, &reader, number, index);
}

static int commit_send(struct model *model, int64_t value)
{
    if (flight_start(model, (struct flight){.kind = KIND_COMMIT, .value = value}) < 0)
        return -1;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_OFFSET_COMMIT, 2);
    frame_put_string(out, GROUP, false);
    frame_put_i32(out, -1);
    frame_put_string(out, "", false);
    frame_put_i64(out, -1);
    frame_put_i32(out, 1);
    frame_put_string(out, "all", false);
    frame_put_i32(out, 1);
    frame_put_i32(out, 0);
    frame_put_i64(out, value);
    frame_put_string(out, "", false);
    model->commit.sent = value;
    return wire_send(&model->wire);
}

static int trim_send(struct model *model, int64_t value)
{
    if (flight_start(model, (struct flight){.kind = KIND_TRIM, .value = value}) < 0)
        return -1;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_DELETE_RECORDS, 0);
    frame_put_i32(out, 1);
    frame_put_string(out, "trim", false);
    frame_put_i32(out, 1);
    frame_put_i32(out, 0);
    frame_put_i64(out, value);
    frame_put_i32(out, 10000);
    model->trim.sent = value;
    return wire_send(&model->wire);
}

/* --- calls that wait --- */

static int call(struct model *model, struct frame_reader *ret_reader)
{
    return wire_send(&model->wire) < 0 ? -1 : wire_receive(&model->wire, ret_reader);
}

static void put_config(struct frame_buffer *out, const char *name, const char *value)
{
    frame_put_string(out, name, false);
    frame_put_string(out, value, false);
}

static int topic_create(struct model *model, const char *name, int partitions, const char *policy)
{
    struct frame_reader reader;
    if (model_drain(model) < 0)
        return -1;
    struct frame_buffer *out = wire_begin(&model->wire, FRAME_API_CREATE_TOPICS, 2);
    frame_put_i32(out, 1);
    frame_put_string(out, name, false);
    frame_put_i32(out, partitions);
    frame_put_i16(out, 1);
    frame_put_i32(out, 0);
    frame_put_i32(out, 4);
    put_config(out, "segment.bytes", "4096");
    put_config(out, "cleanup.policy", policy);
    put_config(out, "min.cleanable.dirty.ratio", "0.1");
    put_config(out, "file.delete.delay.ms", "0");
    frame_put_i32(out, 10000);
    frame_put_i8(out, 0);
    if (call(model, &reader) < 0)
        return -1;
    frame_get_i32(&reader);
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    int16_t code = frame_get_i16(&reader);
    if (!reader.ok || code != 0)
        return model_fault(model, "create %s: error %d", name, code);
    return 0;
}

static int topic_delete(struct model *model, const char *name)
{
    struct frame_reader reader;
    if (model_drain(model) < 0)
        return -1;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_DELETE_TOPICS, 1);
    frame_put_i32(out, 1);
    frame_put_string(out, name, false);
    frame_put_i32(out, 10000);
    if (call(model, &reader) < 0)
        return -1;
    frame_get_i32(&reader);
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    int16_t code = frame_get_i16(&reader);
    if (!reader.ok || code != 0)
        return model_fault(model, "delete %s: error %d", name, code);
    return 0;
}

int model_init_producer(
    struct model *model, const char *txn_id, int64_t *ret_producer_id, int16_t *ret_epoch)
{
    struct frame_reader reader;
    int16_t code = WIRE_CONCURRENT_TRANSACTIONS;
    if (model_drain(model) < 0)
        return -1;
    for (int i = 0; i < MODEL_PATIENT && code == WIRE_CONCURRENT_TRANSACTIONS; i++) {
        struct frame_buffer *out = wire_begin(&model->wire, WIRE_INIT_PRODUCER_ID, 0);
        if (txn_id != NULL)
            frame_put_string(out, txn_id, false);
        else
            frame_put_i16(out, -1);
        frame_put_i32(out, 60000);
        if (call(model, &reader) < 0)
            return -1;
        frame_get_i32(&reader);
        code = frame_get_i16(&reader);
        if (code == WIRE_CONCURRENT_TRANSACTIONS)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    *ret_producer_id = frame_get_i64(&reader);
    *ret_epoch = frame_get_i16(&reader);
    if (!reader.ok || code != 0)
        return model_fault(model, "init producer id (%s): error %d", txn_id ? txn_id : "-", code);
    return 0;
}

static int txn_add(struct model *model)
{
    struct frame_reader reader;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_ADD_PARTITIONS, 0);
    frame_put_string(out, TXN_ID, false);
    frame_put_i64(out, model->txn_producer_id);
    frame_put_i16(out, model->txn_epoch);
    frame_put_i32(out, 1);
    frame_put_string(out, "tx", false);
    frame_put_i32(out, 2);
    frame_put_i32(out, 0);
    frame_put_i32(out, 1);
    if (call(model, &reader) < 0)
        return -1;
    frame_get_i32(&reader);
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    for (uint32_t n = frame_get_count(&reader, false); n > 0; n--) {
        frame_get_i32(&reader);
        int16_t code = frame_get_i16(&reader);
        if (!reader.ok || code != 0)
            return model_fault(model, "add partitions: error %d", code);
    }
    return 0;
}

static int txn_end(struct model *model, struct txn *txn)
{
    struct frame_reader reader;
    struct frame_buffer *out = wire_begin(&model->wire, WIRE_END_TXN, 0);
    frame_put_string(out, TXN_ID, false);
    frame_put_i64(out, model->txn_producer_id);
    frame_put_i16(out, model->txn_epoch);
    frame_put_i8(out, txn->commit);
    txn->end_sent = true;
    if (call(model, &reader) < 0)
        return -1;
    frame_get_i32(&reader);
    int16_t code = frame_get_i16(&reader);
    if (!reader.ok || code != 0)
        return model_fault(model, "end transaction: error %d", code);
    txn->end_acked = true;
    return 0;
}

int model_transaction(struct model *model, bool commit)
{
    if (model_drain(model) < 0 || model->n_txns == MODEL_LIST)
        return -1;
    uint16_t number = (uint16_t)model->n_txns;
    struct txn *txn = &model->txns[model->n_txns++];
    txn->commit = commit;
    if (txn_add(model) < 0 || model_produce(model, LANE_TX_0, number, 2) < 0 ||
        model_produce(model, LANE_TX_1, number, 1) < 0 || model_drain(model) < 0)
        return -1;
    return txn_end(model, txn);
}

/* The topic is made, gets three batches, and is deleted. */
static int model_life(struct model *model)
{
    if (model->n_lives == MODEL_LIST)
        return -1;
    uint16_t number = (uint16_t)model->n_lives;
    struct life *life = &model->lives[model->n_lives++];
    life->made_sent = true;
    if (topic_create(model, "gone", 1, "delete") < 0)
        return -1;
    life->made = true;
    for (int i = 0; i < 3; i++) {
        if (model_produce(model, LANE_GONE, number, 1) < 0)
            return -1;
    }
    if (model_drain(model) < 0)
        return -1;
    life->gone_sent = true;
    if (topic_delete(model, "gone") < 0)
        return -1;
    life->gone = true;
    return 0;
}

/* --- the script --- */

int model_setup(struct model *model)
{
    if (topic_create(model, "one", 2, "delete") < 0 ||
        topic_create(model, "all", 2, "delete") < 0 ||
        topic_create(model, "keys", 1, "compact") < 0 ||
        topic_create(model, "trim", 1, "delete") < 0 || topic_create(model, "tx", 2, "delete") < 0)
        return -1;
    if (model_init_producer(model, NULL, &model->producer_id, &model->epoch) < 0)
        return -1;
    return model_init_producer(model, TXN_ID, &model->txn_producer_id, &model->txn_epoch);
}

int model_round(struct model *model, unsigned number)
{
    static const int order[] = {LANE_ALL_0, LANE_ONE_0, LANE_KEYS, LANE_ALL_1, LANE_ALL_0,
        LANE_KEYS, LANE_TRIM, LANE_ONE_1, LANE_ALL_1, LANE_KEYS, LANE_ALL_0, LANE_KEYS};
    for (unsigned i = 0; i < sizeof(order) / sizeof(*order); i++) {
        if (model_produce(model, order[i], 0, 1 + (int)((number + i) % MODEL_BATCH_MAX)) < 0)
            return -1;
        if (i == 5 && commit_send(model, number + 1) < 0)
            return -1;
    }
    if (number % 4 == 3 && model_transaction(model, number % 12 != 7) < 0)
        return -1;
    if (number % 8 == 5) {
        if (model_drain(model) < 0)
            return -1;
        const struct lane *trim = &model->lanes[LANE_TRIM];
        if (trim_send(model, trim->sent[trim->n_sent / 2].offset) < 0)
            return -1;
    }
    return number % 8 == 6 ? model_life(model) : 0;
}
