// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as compressed data of the codec that the first byte names, under a limit. What comes
 * out never passes the limit, and compresses and decompresses again to the same bytes.
 */
#include "store/batch/compression.h"

#include <assert.h>

#define FUZZ_LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum batch_compression codec = (enum batch_compression)(data[0] % 5);
    struct buffer out = BUFFER_NULL, packed = BUFFER_NULL, again = BUFFER_NULL;
    if (compression_inflate(codec, slice_make(data + 1, size - 1), FUZZ_LIMIT, &out) == 0) {
        assert(out.size <= FUZZ_LIMIT);
        compression_deflate(codec, buffer_slice(&out), &packed);
        int r = compression_inflate(codec, buffer_slice(&packed), out.size, &again);
        assert(r == 0 && slice_equal(buffer_slice(&out), buffer_slice(&again)));
    }
    assert(out.capacity <= 4 * FUZZ_LIMIT);
    buffer_deinit(&out);
    buffer_deinit(&packed);
    buffer_deinit(&again);
    return 0;
}
