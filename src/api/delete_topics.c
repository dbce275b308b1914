// SPDX-License-Identifier: BSD-2-Clause
/* delete_topics: by name, and since version 6 by name or id. Answered when the topics are gone from
 * every loop and their data are released. */
#include "api/topics_join.h"
#include "broker/topics/image.h"
#include "broker/config/settings.h"
#include "wire/delete_topics.gen.h"
#include "wire/errors.gen.h"

#define VERSION_TOPIC_STRUCTS  6
#define VERSION_DELETION_ERROR 3 /* before it, clients do not know TOPIC_DELETION_DISABLED */

static void op_check(struct request *req, struct topics_op *op)
{
    if (!broker_settings(request_broker(req))->delete_topic_enable) {
        topics_op_refuse(op,
            req->version < VERSION_DELETION_ERROR ? TOPICS_REQUEST_INVALID
                                                  : TOPICS_DELETION_DISABLED,
            SLICE_LIT("Topic deletion is disabled (delete.topic.enable=false)."));
        return;
    }
    if (slice_is_null(op->name) && uuid_is_zero(op->id))
        topics_op_refuse(
            op, TOPICS_REQUEST_INVALID, SLICE_LIT("Neither topic name nor id was specified."));
    else if (!slice_is_null(op->name) && !uuid_is_zero(op->id))
        topics_op_refuse(op, TOPICS_REQUEST_INVALID,
            SLICE_LIT("You may not specify both topic name and topic id."));
}

static void delete_topics_finish(struct topics_join *join)
{
    struct delete_topics_response *response = join->req->response;
    response->responses =
        arena_new_n(&join->req->arena, struct delete_topics_response_topic, join->count + 1);
    response->responses_count = (int32_t)join->count;
    for (size_t i = 0; i < join->count; i++) {
        const struct topics_op *op = &join->ops[i];
        struct delete_topics_response_topic *answer = &response->responses[i];
        delete_topics_response_topic_init(answer);
        answer->name = op->name;
        answer->topic_id = op->id;
        answer->error_code = topics_error_code(op);
        answer->error_message = op->message;
        if (op->topic == NULL)
            continue;
        answer->name = arena_copy_slice(&join->req->arena, slice_from_str(op->topic->name));
        answer->topic_id = op->topic->id;
    }
}

enum handle_result delete_topics_handle(struct request *req,
    const struct delete_topics_request *request, struct delete_topics_response *response)
{
    bool structs = req->version >= VERSION_TOPIC_STRUCTS;
    int32_t count = structs ? request->topics_count : request->topic_names_count;
    struct topics_join *join =
        topics_join_new(req, TOPICS_DELETE, (size_t)count, delete_topics_finish);
    (void)response;
    for (int32_t i = 0; i < count; i++) {
        join->ops[i].name = structs ? request->topics[i].name : request->topic_names[i];
        if (structs)
            join->ops[i].id = request->topics[i].topic_id;
    }
    for (size_t i = 0; i < join->count; i++)
        op_check(req, &join->ops[i]);
    topics_join_unite_duplicates(join);
    return topics_join_start(join);
}
