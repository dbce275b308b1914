// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* crc32c: the Castagnoli CRC that record batches carry. The fastest way the processor offers is
 * chosen at run time. Any thread. */
#include <stddef.h>
#include <stdint.h>

/* crc32c(0, data, size) starts; pass the result back in to continue over further data. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The portable version, for tests against the fast one. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);
