// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/group_member.h"

#include <assert.h>
#include <stdio.h>

struct slice slice_copy(struct slice s)
{
    if (slice_is_null(s))
        return SLICE_NULL;
    uint8_t *data = xmalloc(s.size + 1);
    if (s.size > 0)
        memcpy(data, s.data, s.size);
    data[s.size] = 0;
    return slice_make(data, s.size);
}

void slice_drop(struct slice *s)
{
    free((void *)(uintptr_t)s->data);
    *s = SLICE_NULL;
}

struct group_member *group_member_new(struct group *group, struct slice id,
    struct slice instance_id, struct slice client_id, struct slice client_host)
{
    struct group_member *member = xnew(struct group_member);
    member->group = group;
    member->id = slice_copy(id);
    member->instance_id = slice_copy(instance_id);
    member->client_id = slice_copy(slice_is_null(client_id) ? SLICE_LIT("") : client_id);
    member->client_host = slice_copy(slice_is_null(client_host) ? SLICE_LIT("") : client_host);
    member->assignment = slice_copy(SLICE_LIT(""));
    member->timer = TIMER_NULL;
    return member;
}

static void group_member_drop_protocols(struct group_member *member)
{
    for (int32_t i = 0; i < member->protocols_count; i++) {
        slice_drop(&member->protocols[i].name);
        slice_drop(&member->protocols[i].metadata);
    }
    free(steal(&member->protocols));
    member->protocols_count = 0;
}

void group_member_free(struct group_member *member)
{
    assert(member->join == NULL && member->sync == NULL);
    timer_stop(&member->timer);
    if (list_linked(&member->conn_link))
        list_remove(&member->conn_link);
    group_member_drop_protocols(member);
    slice_drop(&member->id);
    slice_drop(&member->instance_id);
    slice_drop(&member->replaced_id);
    slice_drop(&member->client_id);
    slice_drop(&member->client_host);
    slice_drop(&member->assignment);
    free(member);
}

void group_member_set_protocols(
    struct group_member *member, const struct group_protocol *protocols, int32_t count)
{
    struct group_protocol *copies = xnew_n(struct group_protocol, (size_t)count + 1);
    for (int32_t i = 0; i < count; i++) {
        copies[i].name = slice_copy(protocols[i].name);
        copies[i].metadata = slice_copy(protocols[i].metadata);
    }
    group_member_drop_protocols(member);
    member->protocols = copies;
    member->protocols_count = count;
}

void group_member_set_assignment(struct group_member *member, struct slice assignment)
{
    struct slice copy = slice_copy(slice_is_null(assignment) ? SLICE_LIT("") : assignment);
    slice_drop(&member->assignment);
    member->assignment = copy;
}

bool group_member_matches(
    const struct group_member *member, const struct group_protocol *protocols, int32_t count)
{
    if (member->protocols_count != count)
        return false;
    for (int32_t i = 0; i < count; i++) {
        if (!slice_equal(member->protocols[i].name, protocols[i].name) ||
            !slice_equal(member->protocols[i].metadata, protocols[i].metadata))
            return false;
    }
    return true;
}

static const struct group_protocol *group_member_protocol(
    const struct group_member *member, struct slice name)
{
    for (int32_t i = 0; i < member->protocols_count; i++) {
        if (slice_equal(member->protocols[i].name, name))
            return &member->protocols[i];
    }
    return NULL;
}

struct slice group_member_metadata(const struct group_member *member, struct slice protocol)
{
    const struct group_protocol *found = group_member_protocol(member, protocol);
    return found == NULL ? SLICE_LIT("") : found->metadata;
}

bool group_supports(const struct group *group, struct slice protocol)
{
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        if (group_member_protocol(member, protocol) == NULL)
            return false;
    }
    return true;
}

struct slice group_vote(const struct group *group)
{
    if (list_empty(&group->members))
        return SLICE_NULL;
    /* Whatever all can do, the first can do: its list holds every candidate. */
    const struct group_member *first =
        list_entry(group->members.next, const struct group_member, link);
    size_t count = (size_t)first->protocols_count;
    size_t *votes = xnew_n(size_t, count + 1);
    bool *candidate = xnew_n(bool, count + 1);
    for (size_t i = 0; i < count; i++)
        candidate[i] = group_supports(group, first->protocols[i].name);
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        for (int32_t at = 0, voted = 0; at < member->protocols_count && !voted; at++) {
            for (size_t i = 0; i < count && !voted; i++) {
                if (candidate[i] &&
                    slice_equal(member->protocols[at].name, first->protocols[i].name)) {
                    votes[i]++;
                    voted = 1;
                }
            }
        }
    }
    struct slice winner = SLICE_NULL;
    for (size_t i = 0, best = 0; i < count; i++) {
        if (votes[i] > best) {
            best = votes[i];
            winner = first->protocols[i].name;
        }
    }
    free(votes);
    free(candidate);
    return winner;
}

struct slice group_member_id_new(struct group *group, struct slice prefix)
{
    uint8_t random[16];
    group->hooks->random(group->ctx, random, sizeof(random));
    return group_member_id_make(prefix, random);
}

struct slice group_member_id_make(struct slice prefix, const uint8_t random[16])
{
    uint8_t r[16];
    memcpy(r, random, sizeof(r));
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    char uuid[37];
    snprintf(uuid, sizeof(uuid),
        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2],
        r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
    size_t size = prefix.size + 1 + 36;
    uint8_t *data = xmalloc(size + 1);
    if (prefix.size > 0)
        memcpy(data, prefix.data, prefix.size);
    data[prefix.size] = '-';
    memcpy(data + prefix.size + 1, uuid, 37);
    return slice_make(data, size);
}
