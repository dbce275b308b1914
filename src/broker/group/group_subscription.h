// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* group_subscription: which topics the members of a consumer group subscribe to, read from the
 * metadata they gave (Kafka's consumer protocol). On the group's loop. */
#include "broker/group/group.h"

#define GROUP_CONSUMER_PROTOCOL_TYPE "consumer"

bool group_is_consumer(const struct group *group);
/*
 * Is the topic in use by a member of the current generation? True also when a subscription cannot
 * be read: then we cannot know.
 */
bool group_is_subscribed(const struct group *group, struct slice topic);
/* Can the subscriptions be read at all? */
bool group_subscription_known(const struct group *group);
