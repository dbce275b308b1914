// SPDX-License-Identifier: BSD-2-Clause
#include "base/crc32c.h"
#include "runner.h"

START_TEST(crc32c_gives_the_known_values)
{
    uint8_t zeros[32] = {0};
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xE3069283U);
    ck_assert_uint_eq(crc32c_portable(0, "123456789", 9), 0xE3069283U);
    ck_assert_uint_eq(crc32c(0, zeros, sizeof(zeros)), 0x8A9136AAU);
    ck_assert_uint_eq(crc32c_portable(0, zeros, sizeof(zeros)), 0x8A9136AAU);
    ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

/* Sizes around every run length, odd starts, and sums continued in two pieces. */
START_TEST(crc32c_agrees_with_the_portable_version)
{
    static const size_t sizes[] = {
        1, 7, 8, 63, 767, 768, 769, 1536, 4096, 24575, 24576, 24577, 49152, 60000};
    enum { ROOM = 60016 };
    uint8_t *data = malloc(ROOM);
    srand(5);
    for (size_t i = 0; i < ROOM; i++)
        data[i] = (uint8_t)rand();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t start = 0; start < 9; start++) {
            uint32_t whole = crc32c_portable(0, data + start, sizes[i]);
            size_t cut = (size_t)rand() % sizes[i];
            uint32_t first = crc32c(0, data + start, cut);
            ck_assert_uint_eq(crc32c(0, data + start, sizes[i]), whole);
            ck_assert_uint_eq(crc32c(first, data + start + cut, sizes[i] - cut), whole);
        }
    }
    free(data);
}
END_TEST

TEST_MAIN("base/crc32c", crc32c_gives_the_known_values, crc32c_agrees_with_the_portable_version)
