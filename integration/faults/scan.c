// SPDX-License-Identifier: BSD-2-Clause
#include "scan.h"

#include "../../bench/crc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SCAN_FETCH_SIZE  (8 << 20)
#define SCAN_ABORTED_MAX 1024
#define SCAN_PATIENT     400 /* times 5 ms: transactions that end right after the start */

struct batch_head {
    int64_t base, producer_id;
    int32_t last_delta, count;
    int16_t attributes;
    struct frame_reader records;
};

struct aborted {
    int64_t producer_id, first;
};

struct pass { // one answer
    struct aborted aborted[SCAN_ABORTED_MAX];
    unsigned n_aborted;
};

void scan_deinit(struct scan *scan)
{
    free(scan->found);
    *scan = (struct scan){0};
}

static int scan_fault(struct model *model, int number, int64_t offset, const char *what)
{
    const struct lane *lane = &model->lanes[number];
    return model_fault(
        model, "%s-%d offset %lld: %s", lane->topic, lane->partition, (long long)offset, what);
}

static void scan_keep(struct scan *scan, int64_t offset, uint32_t id, uint16_t mark)
{
    if (scan->n_found == scan->found_max) {
        scan->found_max = scan->found_max * 2 + 256;
        scan->found = realloc(scan->found, scan->found_max * sizeof(*scan->found));
        if (scan->found == NULL)
            abort();
    }
    scan->found[scan->n_found++] = (struct found){.offset = offset, .id = id, .mark = mark};
}

static int64_t get_varint(struct frame_reader *reader)
{
    uint64_t value = frame_get_uvarint(reader);
    return (int64_t)(value >> 1u) ^ -(int64_t)(value & 1u);
}

/* A record as it was sent, or a violation. */
static int scan_record(struct model *model, int number, struct scan *scan,
    const struct batch_head *head, struct frame_reader *reader)
{
    uint8_t wanted[MODEL_VALUE_MAX];
    char key[16] = "";
    get_varint(reader);
    frame_get_i8(reader);
    get_varint(reader);
    int64_t offset = head->base + get_varint(reader);
    int64_t key_size = get_varint(reader);
    const uint8_t *key_at = reader->pos;
    frame_skip(reader, key_size > 0 ? (size_t)key_size : 0);
    int64_t size = get_varint(reader);
    const uint8_t *value = reader->pos;
    frame_skip(reader, size > 0 ? (size_t)size : 0);
    get_varint(reader);
    if (!reader->ok || size <= 0 || size > MODEL_VALUE_MAX)
        return scan_fault(model, number, offset, "a record that does not parse");
    int lane;
    unsigned mark, id;
    char text[64] = "";
    memcpy(text, value, size < 63 ? (size_t)size : 63);
    if (sscanf(text, "lane=%d mark=%u id=%u ", &lane, &mark, &id) != 3 || lane != number ||
        model_value(lane, (uint16_t)mark, id, wanted) != (size_t)size ||
        memcmp(wanted, value, (size_t)size) != 0 || id >= model->lanes[number].next_id)
        return scan_fault(model, number, offset, "a value that was never sent");
    if (model_key(number, id) >= 0) {
        snprintf(key, sizeof(key), "key-%d", model_key(number, id));
        if (key_size != (int64_t)strlen(key) || memcmp(key_at, key, (size_t)key_size) != 0)
            return scan_fault(model, number, offset, "a wrong key");
    }
    if (offset < scan->next)
        return 0; /* a fetch begins with the whole batch */
    scan_keep(scan, offset, id, (uint16_t)mark);
    return 0;
}

static bool pass_drops(struct pass *pass, const struct batch_head *head, bool abort_marker)
{
    for (unsigned i = 0; i < pass->n_aborted; i++) {
        struct aborted *aborted = &pass->aborted[i];
        if (aborted->producer_id != head->producer_id || aborted->first > head->base)
            continue;
        if (abort_marker)
            *aborted = pass->aborted[--pass->n_aborted];
        return true;
    }
    return false;
}

/* A marker: its key is a version and a type, 0 for abort. */
static bool marker_aborts(struct frame_reader reader)
{
    get_varint(&reader);
    frame_get_i8(&reader);
    get_varint(&reader);
    get_varint(&reader);
    get_varint(&reader);
    frame_get_i16(&reader);
    return frame_get_i16(&reader) == 0;
}

static int scan_batch(
    struct model *model, int number, struct scan *scan, struct pass *pass, struct batch_head *head)
{
    bool control = (head->attributes & 32) != 0;
    if (head->base + head->last_delta < scan->next)
        return scan_fault(model, number, head->base, "a batch that was read already");
    if (number != LANE_KEYS && head->base > scan->next)
        return scan_fault(model, number, scan->next, "a hole");
    if (control) {
        if (marker_aborts(head->records))
            pass_drops(pass, head, true);
    } else if ((head->attributes & 16) == 0 || !pass_drops(pass, head, false)) {
        for (int i = 0; i < head->count; i++) {
            if (scan_record(model, number, scan, head, &head->records) < 0)
                return -1;
        }
    }
    scan->next = head->base + head->last_delta + 1;
    return 0;
}

static int scan_records(struct model *model, int number, struct scan *scan, struct pass *pass,
    const uint8_t *data, size_t size)
{
    while (size >= FRAME_BATCH_HEAD_SIZE) {
        struct frame_reader reader = frame_reader_of(data, size);
        struct batch_head head = {.base = frame_get_i64(&reader)};
        size_t batch_size = (size_t)frame_get_i32(&reader) + 12u;
        if (batch_size > size)
            return 0;
        frame_skip(&reader, 5);
        uint32_t crc = (uint32_t)frame_get_i32(&reader);
        if (crc != crc_of(data + 21, batch_size - 21))
            return scan_fault(model, number, head.base, "a wrong checksum");
        head.attributes = frame_get_i16(&reader);
        head.last_delta = frame_get_i32(&reader);
        frame_skip(&reader, 16);
        head.producer_id = frame_get_i64(&reader);
        frame_skip(&reader, 6);
        head.count = frame_get_i32(&reader);
        head.records = frame_reader_of(reader.pos, batch_size - FRAME_BATCH_HEAD_SIZE);
        if (scan_batch(model, number, scan, pass, &head) < 0)
            return -1;
        data += batch_size;
        size -= batch_size;
    }
    return 0;
}

static int scan_ask(struct model *model, int number, const struct scan *scan)
{
    const struct lane *lane = &model->lanes[number];
    struct frame_buffer *out = wire_begin(&model->wire, FRAME_API_FETCH, 4);
    frame_put_i32(out, -1);
    frame_put_i32(out, 0);
    frame_put_i32(out, 0);
    frame_put_i32(out, SCAN_FETCH_SIZE);
    frame_put_i8(out, 1);
    frame_put_i32(out, 1);
    frame_put_string(out, lane->topic, false);
    frame_put_i32(out, 1);
    frame_put_i32(out, lane->partition);
    frame_put_i64(out, scan->next);
    frame_put_i32(out, SCAN_FETCH_SIZE);
    return wire_send(&model->wire);
}

/* One fetch. Its records follow. */
static int scan_fetch(struct model *model, int number, struct scan *scan)
{
    struct pass pass = {0};
    struct frame_reader reader;
    if (scan_ask(model, number, scan) < 0 || wire_receive(&model->wire, &reader) < 0)
        return -1;
    frame_get_i32(&reader);
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    frame_get_count(&reader, false);
    frame_get_i32(&reader);
    scan->code = frame_get_i16(&reader);
    scan->high_watermark = frame_get_i64(&reader);
    scan->stable = frame_get_i64(&reader);
    uint32_t n = frame_get_count(&reader, false);
    if (n > SCAN_ABORTED_MAX)
        return scan_fault(model, number, scan->next, "too many aborted transactions");
    for (; pass.n_aborted < n; pass.n_aborted++) {
        pass.aborted[pass.n_aborted].producer_id = frame_get_i64(&reader);
        pass.aborted[pass.n_aborted].first = frame_get_i64(&reader);
    }
    int32_t size = frame_get_i32(&reader);
    if (!reader.ok || size > reader.end - reader.pos)
        return scan_fault(model, number, scan->next, "an answer that does not parse");
    if (scan->code == WIRE_UNKNOWN_TOPIC)
        return 0;
    if (scan->code != 0)
        return model_fault(model, "fetch from %s-%d at %lld: error %d", model->lanes[number].topic,
            model->lanes[number].partition, (long long)scan->next, scan->code);
    return size <= 0 ? 0 : scan_records(model, number, scan, &pass, reader.pos, (size_t)size);
}

static int scan_start(struct model *model, int number, struct scan *scan)
{
    const struct lane *lane = &model->lanes[number];
    struct frame_reader reader;
    struct frame_buffer *out = wire_begin(&model->wire, FRAME_API_LIST_OFFSETS, 1);
    frame_put_i32(out, -1);
    frame_put_i32(out, 1);
    frame_put_string(out, lane->topic, false);
    frame_put_i32(out, 1);
    frame_put_i32(out, lane->partition);
    frame_put_i64(out, -2);
    if (wire_send(&model->wire) < 0 || wire_receive(&model->wire, &reader) < 0)
        return -1;
    frame_get_count(&reader, false);
    frame_skip_string(&reader, false);
    frame_get_count(&reader, false);
    frame_get_i32(&reader);
    scan->code = frame_get_i16(&reader);
    frame_get_i64(&reader);
    scan->log_start = scan->next = frame_get_i64(&reader);
    if (scan->code == WIRE_UNKNOWN_TOPIC)
        return 0;
    if (!reader.ok || scan->code != 0)
        return model_fault(
            model, "list offsets of %s-%d: error %d", lane->topic, lane->partition, scan->code);
    return 0;
}

int scan_lane(struct model *model, int number, struct scan *scan)
{
    *scan = (struct scan){0};
    int r = scan_start(model, number, scan);
    for (int idle = 0; r == 0 && scan->code == 0;) {
        int64_t before = scan->next;
        r = scan_fetch(model, number, scan);
        if (r < 0 || scan->code != 0 || scan->next >= scan->high_watermark)
            break;
        if (scan->next > before)
            continue;
        if (++idle == SCAN_PATIENT)
            r = scan_fault(model, number, scan->next, "no progress up to the high watermark");
        else
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return r;
}
