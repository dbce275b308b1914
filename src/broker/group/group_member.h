// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_member: the memory of one member and what a group's members have in common (protocols, the
 * vote). Used by group.c alone, on the group's loop.
 */
#include "broker/group/group.h"

struct slice slice_copy(struct slice s); /* heap; null stays null */
void slice_drop(struct slice *s);

struct group_member *group_member_new(struct group *group, struct slice id,
    struct slice instance_id, struct slice client_id, struct slice client_host);
void group_member_free(struct group_member *member);
void group_member_set_protocols(
    struct group_member *member, const struct group_protocol *protocols, int32_t count);
void group_member_set_assignment(struct group_member *member, struct slice assignment);
/* Same protocols, same metadata, same order. */
bool group_member_matches(
    const struct group_member *member, const struct group_protocol *protocols, int32_t count);
/* Every member can do this protocol. */
bool group_supports(const struct group *group, struct slice protocol);
/* The protocol that most members prefer among those that all of them can do; null when there is
 * none. Borrowed from a member. */
struct slice group_vote(const struct group *group);
/* "client-UUID" or "instance-UUID", on the heap. */
struct slice group_member_id_new(struct group *group, struct slice prefix);
struct slice group_member_id_make(struct slice prefix, const uint8_t random[16]);
