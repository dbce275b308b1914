// SPDX-License-Identifier: BSD-2-Clause
#include "base/map.h"
#include "runner.h"

#include <stdio.h>

START_TEST(map_finds_what_was_put)
{
    struct map map = MAP_NULL;
    int value = 0, other = 0;
    ck_assert_ptr_null(map_get(&map, SLICE_LIT("a")));
    ck_assert_ptr_null(map_put(&map, SLICE_LIT("a"), &value));
    ck_assert_ptr_eq(map_get(&map, SLICE_LIT("a")), &value);
    ck_assert_ptr_eq(map_put(&map, SLICE_LIT("a"), &other), &value);
    ck_assert_ptr_eq(map_get(&map, SLICE_LIT("a")), &other);
    ck_assert_uint_eq(map.count, 1);
    map_deinit(&map);
}
END_TEST

/* Against a plain array as the model, through growth and shifting removals. */
START_TEST(map_agrees_with_a_model)
{
    enum { KEYS = 500, STEPS = 20000 };
    static char names[KEYS][8];
    static bool present[KEYS];
    struct map map = MAP_NULL;
    size_t count = 0;
    srand(7);
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof(names[i]), "k%d", i);
    for (int step = 0; step < STEPS; step++) {
        int key = rand() % KEYS;
        struct slice name = slice_from_str(names[key]);
        if (rand() % 2 == 0) {
            ck_assert_ptr_eq(map_put(&map, name, names[key]), present[key] ? names[key] : NULL);
            count += !present[key];
            present[key] = true;
        } else {
            ck_assert_ptr_eq(map_remove(&map, name), present[key] ? names[key] : NULL);
            count -= present[key];
            present[key] = false;
        }
        ck_assert_uint_eq(map.count, count);
    }
    size_t seen = 0;
    map_for_each (&map, entry)
        seen++;
    ck_assert_uint_eq(seen, count);
    for (int i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(map_get(&map, slice_from_str(names[i])), present[i] ? names[i] : NULL);
    map_deinit(&map);
}
END_TEST

START_TEST(map_gives_back_what_a_rush_needed)
{
    enum { COUNT = 10000 };
    static uint32_t keys[COUNT];
    struct map map = MAP_NULL;
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = i;
        map_put(&map, slice_make(&keys[i], sizeof(keys[i])), &keys[i]);
    }
    size_t most = map.capacity;
    ck_assert_uint_ge(most, COUNT);
    for (uint32_t i = 0; i < COUNT - 10; i++) {
        ck_assert_ptr_eq(map_remove(&map, slice_make(&keys[i], sizeof(keys[i]))), &keys[i]);
        ck_assert_ptr_eq(map_get(&map, slice_make(&keys[COUNT - 1], 4)), &keys[COUNT - 1]);
    }
    ck_assert_uint_le(map.capacity, 128);
    for (uint32_t i = COUNT - 10; i < COUNT; i++)
        ck_assert_ptr_eq(map_get(&map, slice_make(&keys[i], sizeof(keys[i]))), &keys[i]);
    map_deinit(&map);
}
END_TEST

TEST_MAIN(
    "base/map", map_finds_what_was_put, map_agrees_with_a_model, map_gives_back_what_a_rush_needed)
