// SPDX-License-Identifier: BSD-2-Clause
#include "wire.h"

#include "../../bench/crc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WIRE_FRAME_SIZE_MAX (64 << 20)
#define WIRE_WAIT_SECONDS   20

int wire_connect(struct wire *wire, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = WIRE_WAIT_SECONDS};
    int on = 1;
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return -1;
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(wire->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    wire_close(wire);
    return -1;
}

/* Resets the connection, so that no port stays taken behind thousands of them. */
void wire_close(struct wire *wire)
{
    struct linger now = {.l_onoff = 1};
    if (wire->fd < 0)
        return;
    setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(wire->fd);
    wire->fd = -1;
}

void wire_deinit(struct wire *wire)
{
    wire_close(wire);
    free(wire->data);
    frame_buffer_deinit(&wire->out);
}

struct frame_buffer *wire_begin(struct wire *wire, int api, int16_t version)
{
    frame_begin(&wire->out, (enum frame_api)api, version, false, wire->next_id++);
    return &wire->out;
}

int wire_send(struct wire *wire)
{
    frame_end(&wire->out);
    for (size_t done = 0; done < wire->out.size;) {
        ssize_t n = send(wire->fd, wire->out.data + done, wire->out.size - done, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

static int wire_read(struct wire *wire, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(wire->fd, (uint8_t *)data + done, size - done, 0);
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

int wire_receive(struct wire *wire, struct frame_reader *ret_reader)
{
    uint32_t size;
    if (wire_read(wire, &size, sizeof(size)) < 0)
        return -1;
    size = ntohl(size);
    if (size < 4 || size > WIRE_FRAME_SIZE_MAX)
        return -1;
    if (size > wire->capacity) {
        wire->data = realloc(wire->data, size);
        wire->capacity = size;
        if (wire->data == NULL)
            abort();
    }
    if (wire_read(wire, wire->data, size) < 0)
        return -1;
    *ret_reader = frame_reader_of(wire->data, size);
    frame_skip(ret_reader, 4);
    return 0;
}

/* --- batches --- */

static int varint_size(int64_t value)
{
    uint64_t rest = ((uint64_t)value << 1u) ^ (value < 0 ? UINT64_MAX : 0u);
    int size = 1;
    for (; rest >= 0x80u; rest >>= 7u)
        size++;
    return size;
}

static void put_record(struct frame_buffer *out, int number, const struct wire_value *value)
{
    char key[16];
    int key_size = value->key < 0 ? -1 : snprintf(key, sizeof(key), "key-%d", value->key);
    int size = 1 + varint_size(0) + varint_size(number) + varint_size(key_size) +
               (key_size > 0 ? key_size : 0) + varint_size((int64_t)value->size) +
               (int)value->size + varint_size(0);
    frame_put_varint(out, size);
    frame_put_i8(out, 0);
    frame_put_varint(out, 0);
    frame_put_varint(out, number);
    frame_put_varint(out, key_size);
    if (key_size > 0)
        frame_put_bytes(out, key, (size_t)key_size);
    frame_put_varint(out, (int64_t)value->size);
    frame_put_bytes(out, value->data, value->size);
    frame_put_varint(out, 0);
}

static void put_batch(struct frame_buffer *out, const struct wire_batch *batch)
{
    size_t start = out->size;
    int64_t now_ms = 1700000000000 + batch->sequence;
    frame_put_i64(out, 0);
    frame_put_i32(out, 0); /* length, below */
    frame_put_i32(out, -1);
    frame_put_i8(out, 2);
    frame_put_i32(out, 0); /* checksum, below */
    frame_put_i16(out, batch->transactional ? 16 : 0);
    frame_put_i32(out, batch->count - 1);
    frame_put_i64(out, now_ms);
    frame_put_i64(out, now_ms);
    frame_put_i64(out, batch->producer_id);
    frame_put_i16(out, batch->epoch);
    frame_put_i32(out, batch->producer_id < 0 ? -1 : batch->sequence);
    frame_put_i32(out, batch->count);
    for (int i = 0; i < batch->count; i++)
        put_record(out, i, &batch->values[i]);
    uint8_t *at = out->data + start;
    size_t size = out->size - start;
    frame_patch_i32(at + 8, (int32_t)(size - 12));
    frame_patch_i32(at + 17, (int32_t)crc_of(at + 21, size - 21));
}

void wire_put_produce(struct frame_buffer *out, const char *txn_id, int16_t acks, const char *topic,
    int32_t partition, const struct wire_batch *batch)
{
    if (txn_id != NULL)
        frame_put_string(out, txn_id, false);
    else
        frame_put_i16(out, -1);
    frame_put_i16(out, acks);
    frame_put_i32(out, 10000);
    frame_put_i32(out, 1);
    frame_put_string(out, topic, false);
    frame_put_i32(out, 1);
    frame_put_i32(out, partition);
    size_t at = out->size;
    frame_put_i32(out, 0);
    put_batch(out, batch);
    frame_patch_i32(out->data + at, (int32_t)(out->size - at - 4));
}
