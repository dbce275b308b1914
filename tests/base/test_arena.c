// SPDX-License-Identifier: BSD-2-Clause
#include "base/arena.h"
#include "runner.h"

START_TEST(arena_hands_out_zeroed_memory_up_to_its_limit)
{
    struct arena arena;
    arena_init(&arena, 100);
    uint8_t *first = arena_alloc_n(&arena, 10, 8);
    ck_assert_ptr_nonnull(first);
    for (int i = 0; i < 80; i++)
        ck_assert_uint_eq(first[i], 0);
    ck_assert_ptr_null(arena_alloc_n(&arena, 21, 1));
    ck_assert_ptr_nonnull(arena_alloc_n(&arena, 20, 1));
    ck_assert_ptr_null(arena_alloc_n(&arena, SIZE_MAX, 2));
    arena_deinit(&arena);
}
END_TEST

START_TEST(arena_reset_keeps_memory_usable_and_zeroed)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 100000; size *= 3) {
            uint8_t *memory = arena_xalloc_n(&arena, size, 1);
            for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(memory[i], 0);
            memset(memory, 0xff, size);
        }
        arena_reset(&arena);
        ck_assert_uint_eq(arena.used, 0);
    }
    arena_deinit(&arena);
}
END_TEST

START_TEST(arena_copies_and_prints)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    ck_assert(slice_is_null(arena_copy_slice(&arena, SLICE_NULL)));
    ck_assert(!slice_is_null(arena_copy_slice(&arena, SLICE_LIT(""))));
    ck_assert(slice_equal_str(arena_printf(&arena, "%s-%d", "topic", 7), "topic-7"));
    arena_deinit(&arena);
}
END_TEST

TEST_MAIN("base/arena", arena_hands_out_zeroed_memory_up_to_its_limit,
    arena_reset_keeps_memory_usable_and_zeroed, arena_copies_and_prints)
