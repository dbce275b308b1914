// SPDX-License-Identifier: BSD-2-Clause
/*
 * ElectLeaders: the preferred leader (the first replica) leads again. An unclean election has
 * nothing to do: every partition has a leader.
 */
#include "api/lookup.h"
#include "api/topics_join.h"
#include "broker/topics/replicas.h"
#include "wire/elect_leaders.gen.h"
#include "wire/errors.gen.h"

enum election_type { ELECTION_PREFERRED, ELECTION_UNCLEAN };

struct elect {
    struct topics_join *join;
    const struct elect_leaders_request *request;
    struct elect_leaders_response *response;
};

static void elect_op(struct elect *elect, size_t at, struct slice topic, int32_t index)
{
    struct topics_op *op = &elect->join->ops[at];
    op->name = topic;
    op->partition = index;
    if (elect->request->election_type == ELECTION_UNCLEAN)
        topics_op_refuse(op, TOPICS_MOVE_NEEDLESS,
            SLICE_LIT("The partition has a leader; an unclean election is not needed."));
}

static void elect_finish(struct topics_join *join)
{
    struct elect *elect = join->context;
    struct elect_leaders_response *response = elect->response;
    const struct topics_op *op = join->ops;
    for (int32_t t = 0; t < response->replica_election_results_count; t++) {
        struct elect_leaders_response_topic *topic = &response->replica_election_results[t];
        for (int32_t p = 0; p < topic->partition_result_count; p++, op++) {
            topic->partition_result[p].error_code = topics_error_code(op);
            topic->partition_result[p].error_message = op->message;
        }
    }
}

static struct elect_leaders_response_topic *elect_add_topic(
    struct elect *elect, struct slice name, size_t partitions_count)
{
    struct elect_leaders_response *response = elect->response;
    struct elect_leaders_response_topic *topic =
        &response->replica_election_results[response->replica_election_results_count++];
    elect_leaders_response_topic_init(topic);
    topic->topic = name;
    topic->partition_result = arena_new_n(
        &elect->join->req->arena, struct elect_leaders_response_partition, partitions_count + 1);
    return topic;
}

static void elect_add_partition(struct elect_leaders_response_topic *topic, int32_t index)
{
    struct elect_leaders_response_partition *partition =
        &topic->partition_result[topic->partition_result_count++];
    elect_leaders_response_partition_init(partition);
    partition->partition_id = index;
}

static bool elect_needed(const struct topic *topic, int32_t index)
{
    return topic->replicas != NULL &&
           topic->replicas[index].leader != topic->replicas[index].nodes[0];
}

static size_t elect_count_needed(const struct topic *topic)
{
    size_t count = 0;
    for (int32_t p = 0; topic->replicas != NULL && p < topic->partitions_count; p++)
        count += elect_needed(topic, p);
    return count;
}

/* Everything that is not led as preferred; only that is answered, as Kafka does, and only that
 * costs memory: the request names nothing and may be a few bytes. */
static size_t elect_all(struct request *req, struct elect *elect)
{
    const struct image *image = broker_image(request_broker(req));
    size_t count = 0, topics_count = 0, at = 0;
    for (size_t t = 0; t < image->topics_count; t++) {
        size_t needed = elect_count_needed(image->topics[t]);
        count += needed;
        topics_count += needed > 0;
    }
    elect->response->replica_election_results =
        arena_new_n(&req->arena, struct elect_leaders_response_topic, topics_count + 1);
    elect->join = topics_join_new(req, TOPICS_MOVE, count, elect_finish);
    for (size_t t = 0; t < image->topics_count; t++) {
        const struct topic *topic = image->topics[t];
        size_t needed = elect_count_needed(topic);
        if (needed == 0)
            continue;
        struct elect_leaders_response_topic *answer = elect_add_topic(
            elect, arena_copy_slice(&req->arena, slice_from_str(topic->name)), needed);
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            if (!elect_needed(topic, p))
                continue;
            elect_add_partition(answer, p);
            elect_op(elect, at++, answer->topic, p);
        }
    }
    return count;
}

static size_t elect_named(struct request *req, struct elect *elect, size_t partitions_count)
{
    const struct elect_leaders_request *request = elect->request;
    size_t count = 0;
    elect->response->replica_election_results = arena_new_n(&req->arena,
        struct elect_leaders_response_topic, (size_t)request->topic_partitions_count + 1);
    elect->join = topics_join_new(req, TOPICS_MOVE, partitions_count, elect_finish);
    for (int32_t t = 0; t < request->topic_partitions_count; t++) {
        const struct elect_leaders_request_topic *asked = &request->topic_partitions[t];
        struct elect_leaders_response_topic *answer =
            elect_add_topic(elect, asked->topic, (size_t)asked->partitions_count);
        for (int32_t p = 0; p < asked->partitions_count; p++) {
            elect_add_partition(answer, asked->partitions[p]);
            elect_op(elect, count++, asked->topic, asked->partitions[p]);
        }
    }
    return count;
}

enum handle_result elect_leaders_handle(struct request *req,
    const struct elect_leaders_request *request, struct elect_leaders_response *response)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topic_partitions_count; t++)
        count += (size_t)request->topic_partitions[t].partitions_count;
    if (lookup_too_many(req, count))
        return HANDLE_CLOSE;
    if (request->election_type != ELECTION_PREFERRED &&
        request->election_type != ELECTION_UNCLEAN) {
        response->error_code = KAFKA_ERROR_INVALID_REQUEST;
        return HANDLE_DONE;
    }
    struct elect *elect = arena_new(&req->arena, struct elect);
    *elect = (struct elect){.request = request, .response = response};
    count = request->topic_partitions_count < 0 ? elect_all(req, elect)
                                                : elect_named(req, elect, count);
    elect->join->context = elect;
    elect->join->count = count;
    return topics_join_start(elect->join);
}
