// SPDX-License-Identifier: BSD-2-Clause
/*
 * The subscription starts with its version (int16). Newer versions only append, so the topics of
 * any version are read by the oldest layout: a count and the names, all classic strings.
 */
#include "broker/group/group_subscription.h"

#include "wire/reader.h"

bool group_is_consumer(const struct group *group)
{
    return slice_equal_str(group->protocol_type, GROUP_CONSUMER_PROTOCOL_TYPE);
}

enum subscription_answer { SUBSCRIPTION_NO, SUBSCRIPTION_YES, SUBSCRIPTION_UNREADABLE };

static enum subscription_answer group_subscription_find(struct slice metadata, struct slice topic)
{
    struct reader reader = reader_make(metadata);
    int16_t version = reader_int16(&reader);
    int32_t count = reader_int32(&reader);
    if (version < 0 || count < 0)
        return SUBSCRIPTION_UNREADABLE;
    enum subscription_answer answer = SUBSCRIPTION_NO;
    for (int32_t i = 0; i < count && reader_ok(&reader); i++) {
        if (slice_equal(reader_string(&reader, false, false), topic) && reader_ok(&reader))
            answer = SUBSCRIPTION_YES;
    }
    return reader_ok(&reader) ? answer : SUBSCRIPTION_UNREADABLE;
}

bool group_is_subscribed(const struct group *group, struct slice topic)
{
    if (group->members_count == 0)
        return false;
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (group_subscription_find(group_member_metadata(member, group->protocol), topic) !=
            SUBSCRIPTION_NO)
            return true;
    }
    return false;
}

bool group_subscription_known(const struct group *group)
{
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (group_subscription_find(group_member_metadata(member, group->protocol),
                SLICE_LIT("")) == SUBSCRIPTION_UNREADABLE)
            return false;
    }
    return true;
}
