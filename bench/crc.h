// SPDX-License-Identifier: BSD-2-Clause
// CRC32C for the generator and the floor, apart from the broker's own. Any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

// CRC32C (Castagnoli) of `size` bytes.
uint32_t crc_of(const void *data, size_t size);
