// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inflating goes in steps of COMPRESSION_STEP_SIZE into a growing buffer, so that memory follows
 * the bytes that really come out. Only raw snappy needs its declared size in advance; it is
 * believed up to what the format can reach from the bytes that are there.
 *
 * The libraries fail only for want of memory or on invalid input; the former aborts like every
 * small allocation, and in deflating the latter cannot be.
 */
#include "store/batch/compression.h"
#include "base/bytes.h"

#include <assert.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#define COMPRESSION_STEP_SIZE ((size_t)65536)
/* The most bytes out of one byte in: a snappy copy element makes 64 bytes from 3. */
#define SNAPPY_RATIO_MAX    ((size_t)22)
#define XERIAL_HEADER_SIZE  ((size_t)16)
#define XERIAL_BLOCK_SIZE   ((size_t)32768) /* as Java writes them */
#define GZIP_WINDOW_BITS    (15 + 16)       /* 16: gzip's header, not zlib's */
#define LZ4_LEVEL_DEFAULT   9
#define LZ4_LEVEL_THOROUGH  3  /* its least in the library */
#define ZSTD_WINDOW_LOG_MAX 27 /* what every client may send, level 22 included */

static const uint8_t xerial_header[XERIAL_HEADER_SIZE] = {
    0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

/* The output side of inflating: where it started and how much it may gain. */
struct inflation {
    struct buffer *out;
    size_t start, size_max;
};

/* Room for the next step, one byte more than allowed at the end so that too much shows itself. */
static uint8_t *inflation_room(struct inflation *inflation, size_t *ret_size)
{
    size_t gained = inflation->out->size - inflation->start;
    assert(gained <= inflation->size_max);
    size_t left = inflation->size_max - gained + 1;
    *ret_size = left < COMPRESSION_STEP_SIZE ? left : COMPRESSION_STEP_SIZE;
    return buffer_reserve(inflation->out, *ret_size);
}

static int inflation_gain(struct inflation *inflation, size_t size)
{
    inflation->out->size += size;
    return inflation->out->size - inflation->start > inflation->size_max ? COMPRESSION_TOO_LARGE
                                                                         : 0;
}

static int inflate_copy(struct inflation *inflation, struct slice in)
{
    if (in.size > inflation->size_max)
        return COMPRESSION_TOO_LARGE;
    buffer_append_slice(inflation->out, in);
    return 0;
}

/* --- gzip --- */

static void gzip_end(z_stream *stream)
{
    inflateEnd(stream);
}

static int inflate_gzip(struct inflation *inflation, struct slice in)
{
    _cleanup_(gzip_end) z_stream stream = {0};
    int r = inflateInit2(&stream, GZIP_WINDOW_BITS);
    assert(r == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)in.data; /* zlib only reads it */
    stream.avail_in = (uInt)in.size;
    for (;;) {
        size_t room;
        stream.next_out = inflation_room(inflation, &room);
        stream.avail_out = (uInt)room;
        r = inflate(&stream, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END)
            return COMPRESSION_INVALID; /* Z_BUF_ERROR too: it wants bytes that are not there */
        int full = inflation_gain(inflation, room - stream.avail_out);
        if (full != 0)
            return full;
        if (r == Z_STREAM_END && stream.avail_in == 0)
            return 0;
        if (r == Z_STREAM_END && inflateReset(&stream) != Z_OK)
            return COMPRESSION_INVALID;
    }
}

static void deflate_gzip(int32_t level, struct slice in, struct buffer *out)
{
    z_stream stream = {0};
    int r = deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY);
    assert(r == Z_OK);
    size_t bound = deflateBound(&stream, (uLong)in.size);
    stream.next_in = (Bytef *)(uintptr_t)in.data;
    stream.avail_in = (uInt)in.size;
    stream.next_out = buffer_reserve(out, bound);
    stream.avail_out = (uInt)bound;
    r = deflate(&stream, Z_FINISH);
    assert(r == Z_STREAM_END);
    out->size += stream.total_out;
    deflateEnd(&stream);
}

/* --- snappy --- */

static int inflate_snappy_block(struct inflation *inflation, struct slice in)
{
    size_t size;
    if (snappy_uncompressed_length((const char *)in.data, in.size, &size) != SNAPPY_OK)
        return COMPRESSION_INVALID;
    if (size > in.size * SNAPPY_RATIO_MAX)
        return COMPRESSION_INVALID;
    if (size > inflation->size_max - (inflation->out->size - inflation->start))
        return COMPRESSION_TOO_LARGE;
    uint8_t *to = buffer_reserve(inflation->out, size);
    if (snappy_uncompress((const char *)in.data, in.size, (char *)to, &size) != SNAPPY_OK)
        return COMPRESSION_INVALID;
    return inflation_gain(inflation, size);
}

static int inflate_snappy(struct inflation *inflation, struct slice in)
{
    /* Read as raw snappy, the frame's header is a length (0x82 'S') and then 'N', a copy from
     * before the start: the two forms are never confused. */
    if (in.size < XERIAL_HEADER_SIZE || memcmp(in.data, xerial_header, 8) != 0)
        return inflate_snappy_block(inflation, in);
    const uint8_t *cursor = in.data + XERIAL_HEADER_SIZE, *end = in.data + in.size;
    while (cursor < end) {
        if (end - cursor < 4)
            return COMPRESSION_INVALID;
        uint32_t size = bytes_get_u32(cursor);
        cursor += 4;
        if (size > (size_t)(end - cursor))
            return COMPRESSION_INVALID;
        int r = inflate_snappy_block(inflation, slice_make(cursor, size));
        if (r != 0)
            return r;
        cursor += size;
    }
    return 0;
}

static void deflate_snappy(struct slice in, struct buffer *out)
{
    buffer_append(out, xerial_header, sizeof(xerial_header));
    for (size_t at = 0; at < in.size; at += XERIAL_BLOCK_SIZE) {
        size_t block = in.size - at < XERIAL_BLOCK_SIZE ? in.size - at : XERIAL_BLOCK_SIZE;
        size_t size = snappy_max_compressed_length(block);
        uint8_t *to = buffer_reserve(out, 4 + size);
        snappy_status status =
            snappy_compress((const char *)in.data + at, block, (char *)to + 4, &size);
        assert(status == SNAPPY_OK);
        bytes_put_u32(to, (uint32_t)size);
        out->size += 4 + size;
    }
}

/* --- lz4 --- */

static void lz4_context_freep(LZ4F_dctx **context)
{
    LZ4F_freeDecompressionContext(*context);
}

static int inflate_lz4(struct inflation *inflation, struct slice in)
{
    _cleanup_(lz4_context_freep) LZ4F_dctx *context = NULL;
    size_t r = LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
    assert(!LZ4F_isError(r));
    const uint8_t *cursor = in.data, *end = in.data + in.size;
    do {
        size_t room, taken = (size_t)(end - cursor);
        uint8_t *to = inflation_room(inflation, &room);
        bool starved = taken == 0;
        r = LZ4F_decompress(context, to, &room, cursor, &taken, NULL);
        if (LZ4F_isError(r) || (starved && room == 0 && r != 0))
            return COMPRESSION_INVALID;
        cursor += taken;
        int full = inflation_gain(inflation, room);
        if (full != 0)
            return full;
    } while (r != 0 || cursor < end); /* r == 0: a frame is complete; another may follow */
    return 0;
}

/* Kafka's default names the fast method; its other levels are all of the thorough one. */
static int lz4_level(int32_t level)
{
    if (level == LZ4_LEVEL_DEFAULT)
        return 0;
    return level < LZ4_LEVEL_THOROUGH ? LZ4_LEVEL_THOROUGH : level;
}

static void deflate_lz4(int32_t level, struct slice in, struct buffer *out)
{
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    preferences.compressionLevel = lz4_level(level); /* above its greatest: that one */
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent; /* Java's client reads no other */
    size_t bound = LZ4F_compressFrameBound(in.size, &preferences);
    uint8_t *to = buffer_reserve(out, bound);
    size_t size = LZ4F_compressFrame(to, bound, in.data, in.size, &preferences);
    assert(!LZ4F_isError(size));
    out->size += size;
}

/* --- zstd --- */

static void zstd_context_freep(ZSTD_DCtx **context)
{
    ZSTD_freeDCtx(*context);
}

static int inflate_zstd(struct inflation *inflation, struct slice in)
{
    _cleanup_(zstd_context_freep) ZSTD_DCtx *context = ZSTD_createDCtx();
    assert(context != NULL);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    ZSTD_inBuffer from = {in.data, in.size, 0};
    size_t r;
    do {
        size_t room;
        uint8_t *to = inflation_room(inflation, &room);
        ZSTD_outBuffer into = {to, room, 0};
        bool starved = from.pos == from.size;
        r = ZSTD_decompressStream(context, &into, &from);
        if (ZSTD_isError(r) || (starved && into.pos == 0 && r != 0))
            return COMPRESSION_INVALID;
        int full = inflation_gain(inflation, into.pos);
        if (full != 0)
            return full;
    } while (r != 0 || from.pos < from.size);
    return 0;
}

static void deflate_zstd(int32_t level, struct slice in, struct buffer *out)
{
    size_t bound = ZSTD_compressBound(in.size);
    uint8_t *to = buffer_reserve(out, bound);
    size_t size = ZSTD_compress(to, bound, in.data, in.size, level); /* it clamps */
    assert(!ZSTD_isError(size));
    out->size += size;
}

int compression_inflate(
    enum batch_compression codec, struct slice in, size_t size_max, struct buffer *out)
{
    assert(size_max < SIZE_MAX / 4);
    struct inflation inflation = {out, out->size, size_max};
    if (in.size > INT32_MAX)
        return COMPRESSION_TOO_LARGE;
    if (codec == BATCH_NONE)
        return inflate_copy(&inflation, in);
    if (in.size == 0)
        return COMPRESSION_INVALID;
    switch (codec) {
    case BATCH_GZIP: return inflate_gzip(&inflation, in);
    case BATCH_SNAPPY: return inflate_snappy(&inflation, in);
    case BATCH_LZ4: return inflate_lz4(&inflation, in);
    case BATCH_ZSTD: return inflate_zstd(&inflation, in);
    case BATCH_NONE: break;
    }
    return COMPRESSION_INVALID;
}

static const struct compression_levels levels_default = {
    .gzip = Z_DEFAULT_COMPRESSION, .lz4 = LZ4_LEVEL_DEFAULT, .zstd = ZSTD_CLEVEL_DEFAULT};

void compression_deflate_at(enum batch_compression codec, const struct compression_levels *levels,
    struct slice in, struct buffer *out)
{
    if (levels == NULL)
        levels = &levels_default;
    assert(in.size <= INT32_MAX);
    switch (codec) {
    case BATCH_NONE: buffer_append_slice(out, in); break;
    case BATCH_GZIP: deflate_gzip(levels->gzip, in, out); break;
    case BATCH_SNAPPY: deflate_snappy(in, out); break;
    case BATCH_LZ4: deflate_lz4(levels->lz4, in, out); break;
    case BATCH_ZSTD: deflate_zstd(levels->zstd, in, out); break;
    }
}

void compression_deflate(enum batch_compression codec, struct slice in, struct buffer *out)
{
    compression_deflate_at(codec, NULL, in, out);
}
