// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as any message in any version: two bytes choose the message, one the version, the rest
 * is decoded. What decodes is measured, printed and encoded; what was encoded decodes again and
 * encodes to the same bytes.
 */
#include "wire/codec_messages.h"
#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>

/* Memory that a message of that size may take. */
#define FUZZ_ARENA_LIMIT ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_encode(
    const struct codec_message *codec, int16_t version, const void *message, struct writer *writer)
{
    struct buffer text = BUFFER_NULL;
    codec->encode(writer, version, message);
    assert(codec->size(version, message) == writer->buffer.size);
    codec->print(&text, version, message);
    buffer_deinit(&text);
}

static void fuzz_message(const struct codec_message *codec, int16_t version, struct slice bytes)
{
    struct arena arena;
    arena_init(&arena, FUZZ_ARENA_LIMIT);
    void *message = malloc(codec->struct_size);
    struct reader reader = reader_make(bytes);
    if (codec->decode(&reader, version, &arena, message)) {
        struct writer first = WRITER_NULL, second = WRITER_NULL;
        void *again = malloc(codec->struct_size);
        fuzz_encode(codec, version, message, &first);
        reader = reader_make(buffer_slice(&first.buffer));
        bool ok = codec->decode(&reader, version, &arena, again);
        assert(ok || arena.used > FUZZ_ARENA_LIMIT / 2);
        if (ok) {
            fuzz_encode(codec, version, again, &second);
            assert(slice_equal(buffer_slice(&first.buffer), buffer_slice(&second.buffer)));
        }
        free(again);
        writer_deinit(&first);
        writer_deinit(&second);
    }
    free(message);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    const struct codec_message *codec = &codec_messages[bytes_get_u16(data) % codec_messages_count];
    int versions = codec->version_max - codec->version_min + 1;
    int16_t version = (int16_t)(codec->version_min + data[2] % versions);
    fuzz_message(codec, version, slice_make(data + 3, size - 3));
    return 0;
}
