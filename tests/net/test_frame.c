// SPDX-License-Identifier: BSD-2-Clause
#include "net/frame.h"
#include "runner.h"

#include <string.h>

static uint8_t byte_at(size_t pos)
{
    return (uint8_t)(pos * 13 + pos / 257);
}

/* Fills up to `end` in pieces of random size by both ways, watching the bound. */
static void fill(struct frame *frame, struct frame_cache *cache, size_t end, bool bounded)
{
    static uint8_t piece[65536];
    while (frame->received < end) {
        size_t size = (size_t)rand() % sizeof(piece) + 1;
        if (size > end - frame->received)
            size = end - frame->received;
        if (rand() % 2 == 0) {
            for (size_t i = 0; i < size; i++)
                piece[i] = byte_at(frame->received + i);
            ck_assert_int_eq(frame_append(frame, cache, piece, size), 0);
        } else {
            size_t room;
            uint8_t *at = frame_room(frame, cache, &room);
            ck_assert_ptr_nonnull(at);
            ck_assert_uint_gt(room, 0);
            if (bounded)
                ck_assert_uint_le(frame->capacity, 2 * frame->received + FRAME_HEADROOM);
            size = size < room ? size : room;
            for (size_t i = 0; i < size; i++)
                at[i] = byte_at(frame->received + i);
            frame->received += size;
        }
        ck_assert_uint_le(frame->received, frame->capacity);
        if (bounded)
            ck_assert_uint_le(frame->capacity, 2 * frame->received + FRAME_HEADROOM);
    }
}

static void check_bytes(const struct frame *frame)
{
    size_t i = 0;
    while (i < frame->received && frame->data[i] == byte_at(i))
        i++;
    ck_assert_uint_eq(i, frame->received);
}

START_TEST(frame_grows_with_what_arrives)
{
    srand(3);
    for (int round = 0; round < 60; round++) {
        struct frame_cache cache = {0};
        struct frame frame = {.size = (size_t)rand() % (4 * 1024 * 1024) + 1};
        if (round % 3 == 0)
            frame.size = 100 * 1024 * 1024; /* declared, never sent */
        size_t end = frame.size < 3 * 1024 * 1024 ? frame.size : (size_t)rand() % 3000000;
        fill(&frame, &cache, end, true);
        check_bytes(&frame);
        frame_deinit(&frame, &cache);
        frame_cache_deinit(&cache);
    }
}
END_TEST

START_TEST(frame_reuses_the_hottest_block)
{
    struct frame_cache cache = {0};
    struct frame first = {.size = 1000000};
    fill(&first, &cache, first.size, true);
    uint8_t *block = first.data;
    frame_deinit(&first, &cache);
    ck_assert_uint_eq(cache.count, 1);
    struct frame second = {.size = 1000100};
    fill(&second, &cache, second.size, false);
    ck_assert_ptr_eq(second.data, block);
    check_bytes(&second);
    frame_deinit(&second, &cache);
    /* A block may not be wasted on something far smaller. */
    struct frame small = {.size = 70000};
    fill(&small, &cache, small.size, true);
    ck_assert_ptr_ne(small.data, block);
    frame_deinit(&small, &cache);
    frame_cache_deinit(&cache);
}
END_TEST

START_TEST(frame_cache_keeps_to_its_limits)
{
    struct frame_cache cache = {0};
    for (int i = 0; i < FRAME_CACHE_BLOCKS_MAX + 5; i++)
        frame_cache_give(&cache, malloc(100000), 100000);
    ck_assert_uint_eq(cache.count, FRAME_CACHE_BLOCKS_MAX);
    frame_cache_give(&cache, malloc(FRAME_CACHE_SIZE_MAX), FRAME_CACHE_SIZE_MAX);
    ck_assert_uint_eq(cache.count, 1);
    ck_assert_uint_eq(cache.size, FRAME_CACHE_SIZE_MAX);
    frame_cache_give(&cache, malloc(FRAME_CACHE_SIZE_MAX + 1), FRAME_CACHE_SIZE_MAX + 1);
    ck_assert_uint_eq(cache.count, 1);
    frame_cache_deinit(&cache);
}
END_TEST

TEST_MAIN("net/frame", frame_grows_with_what_arrives, frame_reuses_the_hottest_block,
    frame_cache_keeps_to_its_limits)
