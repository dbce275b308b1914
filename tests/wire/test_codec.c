// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every message in every version, from bytes that protogen's own encoder made (CODEC_CASES names
 * the file; its format is described in tools/protogen/emit_cases.py): it decodes, encodes to the
 * same bytes, measures right, survives every truncation, and no lie about a count or length makes
 * it take memory. Decoding reads from copies of the exact size, so that the sanitizer sees every
 * byte beyond.
 */
#include "wire/codec_messages.h"
#include "base/bytes.h"
#include "runner.h"

#include <stdio.h>

#define ARENA_LIMIT ((size_t)1 << 30)
#define BOMB_SLACK  ((size_t)65536)

enum mark_form { MARK_INT16, MARK_INT32, MARK_COMPACT, MARK_TAG_COUNT, MARK_TAG_SIZE };

struct mark {
    uint32_t at;
    uint8_t width;
    enum mark_form form;
};

struct codec_case {
    const struct codec_message *codec;
    int16_t version;
    struct slice bytes;
    const uint8_t *marks;
    uint16_t marks_count;
};

static uint8_t *file;
static size_t file_size;

static void file_load(void)
{
    const char *path = getenv("CODEC_CASES");
    ck_assert_msg(path != NULL, "CODEC_CASES is not set");
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    ck_assert_int_eq(fseek(in, 0, SEEK_END), 0);
    long size = ftell(in);
    ck_assert_int_gt(size, 0);
    rewind(in);
    file_size = (size_t)size;
    file = malloc(file_size);
    ck_assert_uint_eq(fread(file, 1, file_size, in), file_size);
    fclose(in);
}

static bool case_next(size_t *pos, struct codec_case *ret_case)
{
    if (*pos >= file_size)
        return false;
    const uint8_t *at = file + *pos;
    size_t size = bytes_get_u32(at + 4);
    *ret_case = (struct codec_case){
        .codec = &codec_messages[bytes_get_u16(at)],
        .version = (int16_t)bytes_get_u16(at + 2),
        .bytes = slice_make(at + 8, size),
        .marks = at + 8 + size + 2,
        .marks_count = bytes_get_u16(at + 8 + size),
    };
    *pos += 8 + size + 2 + 6 * (size_t)ret_case->marks_count;
    return true;
}

static struct mark case_mark(const struct codec_case *c, size_t i)
{
    const uint8_t *at = c->marks + 6 * i;
    return (struct mark){bytes_get_u32(at), at[4], (enum mark_form)at[5]};
}

/* Decodes an exact copy; what was wrong, or NULL. The message is only good for its own size. */
static const char *case_decode(
    const struct codec_case *c, struct slice bytes, struct arena *arena, void *message)
{
    struct reader reader = reader_make(bytes);
    bool ok = c->codec->decode(&reader, c->version, arena, message);
    ck_assert(ok == reader_ok(&reader));
    return reader.fault;
}

static const char *case_decode_copy(
    const struct codec_case *c, struct slice bytes, size_t *ret_used)
{
    struct arena arena;
    arena_init(&arena, ARENA_LIMIT);
    uint8_t *copy = malloc(bytes.size == 0 ? 1 : bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    void *message = malloc(c->codec->struct_size);
    const char *fault = case_decode(c, slice_make(copy, bytes.size), &arena, message);
    *ret_used = arena.used;
    free(message);
    free(copy);
    arena_deinit(&arena);
    return fault;
}

START_TEST(codec_round_trip_is_the_same_bytes)
{
    struct codec_case c;
    file_load();
    for (size_t pos = 0; case_next(&pos, &c);) {
        struct arena arena;
        arena_init(&arena, ARENA_LIMIT);
        void *message = malloc(c.codec->struct_size);
        const char *fault = case_decode(&c, c.bytes, &arena, message);
        ck_assert_msg(fault == NULL, "%s v%d: %s", c.codec->name, c.version, fault);
        struct writer writer = WRITER_NULL;
        c.codec->encode(&writer, c.version, message);
        ck_assert_msg(slice_equal(buffer_slice(&writer.buffer), c.bytes),
            "%s v%d: encoded differently", c.codec->name, c.version);
        ck_assert_msg(c.codec->size(c.version, message) == c.bytes.size, "%s v%d: size",
            c.codec->name, c.version);
        writer_deinit(&writer);
        free(message);
        arena_deinit(&arena);
    }
    free(file);
}
END_TEST

/* A message decoded from one version is good for every other: measured, encoded, decoded again and
 * printed. */
START_TEST(codec_message_of_one_version_serves_all)
{
    struct codec_case c, other;
    file_load();
    for (size_t pos = 0; case_next(&pos, &c);) {
        struct arena arena;
        arena_init(&arena, ARENA_LIMIT);
        void *message = malloc(c.codec->struct_size), *again = malloc(c.codec->struct_size);
        ck_assert_ptr_null(case_decode(&c, c.bytes, &arena, message));
        other = c;
        for (int16_t v = c.codec->version_min; v <= c.codec->version_max; v++) {
            struct writer writer = WRITER_NULL;
            struct buffer text = BUFFER_NULL;
            c.codec->encode(&writer, v, message);
            ck_assert_uint_eq(c.codec->size(v, message), writer.buffer.size);
            other.version = v;
            const char *fault = case_decode(&other, buffer_slice(&writer.buffer), &arena, again);
            ck_assert_msg(fault == NULL, "%s v%d as v%d: %s", c.codec->name, c.version, v, fault);
            c.codec->print(&text, v, message);
            ck_assert(text.size == 0 || memchr(text.data, '\n', text.size) == NULL);
            buffer_deinit(&text);
            writer_deinit(&writer);
        }
        free(message);
        free(again);
        arena_deinit(&arena);
    }
    free(file);
}
END_TEST

START_TEST(codec_truncated_anywhere_is_refused)
{
    struct codec_case c;
    size_t used;
    file_load();
    for (size_t pos = 0; case_next(&pos, &c);)
        for (size_t size = 0; size < c.bytes.size; size++)
            ck_assert_msg(case_decode_copy(&c, slice_make(c.bytes.data, size), &used) != NULL,
                "%s v%d: %zu of %zu bytes accepted", c.codec->name, c.version, size, c.bytes.size);
    free(file);
}
END_TEST

START_TEST(codec_trailing_byte_is_refused)
{
    struct codec_case c;
    size_t used;
    file_load();
    for (size_t pos = 0; case_next(&pos, &c);) {
        struct buffer bytes = BUFFER_NULL;
        buffer_append_slice(&bytes, c.bytes);
        buffer_append(&bytes, "", 1);
        const char *fault = case_decode_copy(&c, buffer_slice(&bytes), &used);
        ck_assert_msg(fault != NULL && strcmp(fault, "bytes after the end of the message") == 0,
            "%s v%d: %s", c.codec->name, c.version, fault == NULL ? "accepted" : fault);
        buffer_deinit(&bytes);
    }
    free(file);
}
END_TEST

static void bomb_check(
    const struct codec_case *c, struct mark mark, const void *lie, size_t lie_size)
{
    struct buffer bytes = BUFFER_NULL;
    size_t used, after = (size_t)mark.at + mark.width;
    buffer_append(&bytes, c->bytes.data, mark.at);
    buffer_append(&bytes, lie, lie_size);
    buffer_append(&bytes, c->bytes.data + after, c->bytes.size - after);
    case_decode_copy(c, buffer_slice(&bytes), &used);
    ck_assert_msg(used <= 2 * bytes.size + BOMB_SLACK, "%s v%d: %zu bytes for a message of %zu",
        c->codec->name, c->version, used, bytes.size);
    buffer_deinit(&bytes);
}

START_TEST(codec_lies_about_counts_take_no_memory)
{
    struct codec_case c;
    file_load();
    for (size_t pos = 0; case_next(&pos, &c);) {
        for (size_t i = 0; i < c.marks_count; i++) {
            struct mark mark = case_mark(&c, i);
            if (mark.form == MARK_INT16) {
                bomb_check(&c, mark, "\x7f\xff", 2);
                bomb_check(&c, mark, "\x80\x00", 2);
            } else if (mark.form == MARK_INT32) {
                bomb_check(&c, mark, "\x7f\xff\xff\xff", 4);
                bomb_check(&c, mark, "\x80\x00\x00\x00", 4);
                bomb_check(&c, mark, "\x00\x00\x00\x20", 4);
                bomb_check(&c, mark, "\x00\x10\x00\x00", 4);
            } else {
                bomb_check(&c, mark, "\xff\xff\xff\xff\x0f", 5);
                bomb_check(&c, mark, "\xff\xff\xff\xff\x07", 5);
                bomb_check(&c, mark, "\xff\xff\xff\xff\xff", 5);
                bomb_check(&c, mark, "\x80\x80\x40", 3);
                bomb_check(&c, mark, "\x20", 1);
            }
        }
    }
    free(file);
}
END_TEST

START_TEST(codec_apis_agree_with_their_messages)
{
    for (size_t i = 0; i < codec_apis_count; i++) {
        const struct api *api = codec_apis[i];
        ck_assert_ptr_null((void *)(uintptr_t)api->handle);
        ck_assert_int_le(api->version_min, api->version_max);
        ck_assert_int_le(api->advertised_min, api->version_min);
        ck_assert(i == 0 || codec_apis[i - 1]->key < api->key);
        void *request = calloc(1, api->request_size), *response = calloc(1, api->response_size);
        api->init_request(request);
        api->init_response(response);
        for (int16_t v = api->version_min; v <= api->version_max; v++) {
            struct writer writer = WRITER_NULL;
            struct arena arena;
            arena_init(&arena, ARENA_LIMIT);
            api->encode_request(&writer, v, request);
            struct reader reader = reader_make(buffer_slice(&writer.buffer));
            ck_assert(api->decode_request(&reader, v, &arena, request));
            writer.buffer.size = 0;
            api->encode_response(&writer, v, response);
            reader = reader_make(buffer_slice(&writer.buffer));
            ck_assert(api->decode_response(&reader, v, &arena, response));
            writer_deinit(&writer);
            arena_deinit(&arena);
            api->init_request(request);
            api->init_response(response);
        }
        free(request);
        free(response);
    }
}
END_TEST

TEST_MAIN("wire/codec", codec_round_trip_is_the_same_bytes, codec_message_of_one_version_serves_all,
    codec_truncated_anywhere_is_refused, codec_trailing_byte_is_refused,
    codec_lies_about_counts_take_no_memory, codec_apis_agree_with_their_messages)
