// SPDX-License-Identifier: BSD-2-Clause
/* DeleteShareGroupOffsets: a share group that nobody is in forgets topics. */
#include "wire/delete_share_group_offsets.gen.h"

#include "api/share_groups.h"
#include "broker/group/share_group.h"
#include "broker/topics/image.h"

struct delete_share_group_offsets {
    struct groups_op op;
    struct groups_share_change change;
    struct request *req;
    struct delete_share_group_offsets_response *response;
    struct delete_share_group_offsets_response_topic **outs; /* of the change's items */
};

static void delete_share_refuse(struct delete_share_group_offsets_response_topic *out,
    enum group_error error, const char *message)
{
    out->error_code = group_error_code(error);
    out->error_message = slice_from_str(message);
}

static void delete_share_on_done(struct groups_share_change *change, enum group_error error)
{
    struct delete_share_group_offsets *my =
        container_of(change, struct delete_share_group_offsets, change);
    if (error != GROUP_OK) {
        delete_share_group_offsets_response_init(my->response);
        my->response->error_code = group_error_code(error);
        my->response->error_message = share_error_text(&my->req->arena, my->op.group, error);
    }
    for (int32_t i = 0; i < change->items_count && error == GROUP_OK; i++) {
        if (change->items[i].error != GROUP_OK && my->outs[i]->error_code == KAFKA_ERROR_NONE)
            delete_share_refuse(
                my->outs[i], change->items[i].error, "The state could not be removed.");
    }
    request_complete(my->req);
}

/* What it knows nothing of is refused. */
static void delete_share_check(
    struct delete_share_group_offsets *my, const struct groups_entry *entry)
{
    for (int32_t i = 0; i < my->change.items_count; i++) {
        struct groups_share_item *item = &my->change.items[i];
        if (share_group_topic(entry->consumer->share, item->topic) != NULL)
            continue;
        item->error = GROUP_E_UNKNOWN_PARTITION;
        delete_share_refuse(my->outs[i], item->error, "There is no offset information to delete.");
    }
}

static void delete_share_on_entered(struct groups_op *op)
{
    struct delete_share_group_offsets *my = container_of(op, struct delete_share_group_offsets, op);
    const struct groups_entry *entry = op->shard == NULL ? NULL : groups_find(op->shard, op->group);
    if (entry != NULL && groups_entry_is_share(entry))
        delete_share_check(my, entry);
    if (op->shard == NULL)
        delete_share_on_done(&my->change, op->error);
    else
        groups_share_delete_topics(op->shard, op->group, &my->change);
}

enum handle_result delete_share_group_offsets_handle(struct request *req,
    const struct delete_share_group_offsets_request *request,
    struct delete_share_group_offsets_response *response)
{
    if (!share_is_enabled(req) || request->group_id.size == 0) {
        response->error_code =
            share_is_enabled(req) ? KAFKA_ERROR_INVALID_GROUP_ID : KAFKA_ERROR_UNSUPPORTED_VERSION;
        return HANDLE_DONE;
    }
    struct delete_share_group_offsets *my =
        arena_new(&req->arena, struct delete_share_group_offsets);
    size_t count = (size_t)request->topics_count;
    my->req = req;
    my->response = response;
    my->change.done = delete_share_on_done;
    my->change.items = arena_new_n(&req->arena, struct groups_share_item, count);
    my->outs = arena_new_n(&req->arena, struct delete_share_group_offsets_response_topic *, count);
    group_op_init(&my->op, req, request->group_id, false, delete_share_on_entered);
    response->responses =
        arena_new_n(&req->arena, struct delete_share_group_offsets_response_topic, count);
    for (int32_t t = 0; t < request->topics_count; t++) {
        struct delete_share_group_offsets_response_topic *out =
            &response->responses[response->responses_count++];
        struct slice name = request->topics[t].topic_name;
        const struct topic *topic = group_topic(my->op.broker, false, name, UUID_ZERO);
        delete_share_group_offsets_response_topic_init(out);
        out->topic_name = name;
        if (topic == NULL) {
            delete_share_refuse(
                out, GROUP_E_UNKNOWN_PARTITION, "This server does not host this topic-partition.");
            continue;
        }
        out->topic_id = topic->id;
        my->outs[my->change.items_count] = out;
        my->change.items[my->change.items_count++] =
            (struct groups_share_item){.topic = topic->id, .name = name};
    }
    return group_op_start(&my->op);
}
