// SPDX-License-Identifier: BSD-2-Clause
#include "base/uuid.h"
#include "runner.h"

START_TEST(uuid_text_form_is_kafkas)
{
    struct uuid id;
    ck_assert(uuid_from_text(SLICE_LIT("4L6g3nShT-eMCtK--X86sw"), &id));
    ck_assert_str_eq(uuid_to_text(id).str, "4L6g3nShT-eMCtK--X86sw");
    ck_assert_uint_eq(id.bytes[0], 0xe0);
    ck_assert_str_eq(uuid_to_text(UUID_ZERO).str, "AAAAAAAAAAAAAAAAAAAAAA");
    ck_assert(!uuid_from_text(SLICE_LIT("4L6g3nShT-eMCtK--X86s"), &id));
    ck_assert(!uuid_from_text(SLICE_LIT("4L6g3nShT-eMCtK--X86s!"), &id));
}
END_TEST

START_TEST(uuid_from_random_never_looks_like_an_option)
{
    uint8_t random[UUID_SIZE];
    memset(random, 0xff, sizeof(random));
    ck_assert(uuid_to_text(uuid_from_random(random)).str[0] != '-');
    memset(random, 0, sizeof(random));
    ck_assert(!uuid_is_zero(uuid_from_random(random)));
}
END_TEST

TEST_MAIN("base/uuid", uuid_text_form_is_kafkas, uuid_from_random_never_looks_like_an_option)
