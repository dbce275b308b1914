// SPDX-License-Identifier: BSD-2-Clause
/*
 * api_versions: what is served, and in which versions. The list is the generated table; nothing is
 * kept here but the bytes of the answer, per loop and version: every connection begins with this
 * request, and encoding eighty entries would be most of its work. A client that speaks a newer
 * version of this very API gets the oldest answer there is, with an error and the one entry that it
 * needs to ask again.
 */
#include "api/api_versions.h"

#include "api/api_table.h"
#include "broker/broker.h"
#include "broker/config/settings.h"
#include "net/answer.h"
#include "wire/api_versions.gen.h"
#include "wire/errors.gen.h"

/* The version of Kafka's metadata that tools take for the version of the cluster: 3.9. */
#define METADATA_VERSION_MIN 1
#define METADATA_VERSION     21
#define FEATURES_SINCE       3
/* Transactions v2 (KIP-890): Produce adds partitions, each transaction has its own epoch. */
#define TRANSACTION_VERSION 2
/* Consumer groups of the newer protocol (KIP-848). */
#define GROUP_VERSION 1
/* Share groups (KIP-932). */
#define SHARE_VERSION 1

#define ENCODED_VERSIONS 5    /* later ones are encoded each time */
#define ENCODED_SIZE_MAX 2048 /* bytes; so are longer ones */

/* What a loop has answered before; size 0: nothing yet. */
struct encoded {
    size_t size;
    uint8_t bytes[ENCODED_SIZE_MAX];
};

/* `share`: the one setting that the answer depends on. */
static struct encoded *encoded_of(int16_t version, bool share)
{
    static _Thread_local struct encoded encoded[ENCODED_VERSIONS][2];
    return version < ENCODED_VERSIONS ? &encoded[version][share] : NULL;
}

static void encoded_keep(
    struct encoded *encoded, int16_t version, const struct api_versions_response *response)
{
    _cleanup_(writer_deinit) struct writer writer = WRITER_NULL;
    api_versions_response_encode(&writer, version, response);
    if (writer.buffer.size > ENCODED_SIZE_MAX)
        return;
    memcpy(encoded->bytes, writer.buffer.data, writer.buffer.size);
    encoded->size = writer.buffer.size;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, '-' and '.', beginning and ending with a letter or digit. */
static bool software_valid(struct slice text)
{
    if (text.size == 0 || !is_alphanumeric(text.data[0]) ||
        !is_alphanumeric(text.data[text.size - 1]))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!is_alphanumeric(c) && c != '-' && c != '.')
            return false;
    }
    return true;
}

static void fill_keys(struct arena *arena, struct api_versions_response *response)
{
    response->api_keys = arena_new_n(arena, struct api_versions_response_api_key, api_table_count);
    response->api_keys_count = 0;
    for (size_t i = 0; i < api_table_count; i++) {
        const struct api *api = api_table[i];
        if (api == NULL)
            continue;
        response->api_keys[response->api_keys_count++] = (struct api_versions_response_api_key){
            .api_key = api->key,
            .min_version = api->advertised_min,
            .max_version = api->version_max,
        };
    }
}

/* As in Kafka, what is at level 0 is supported, and not among the finalized ones. */
/* `share`: share groups are served. */
static void fill_features(struct arena *arena, struct api_versions_response *response, bool share)
{
    const struct feature {
        const char *name;
        int16_t min, max, level;
    } features[] = {
        {"group.version", 0, GROUP_VERSION, GROUP_VERSION},
        {"metadata.version", METADATA_VERSION_MIN, METADATA_VERSION, METADATA_VERSION},
        {"share.version", 0, SHARE_VERSION, share ? SHARE_VERSION : 0},
        {"transaction.version", 0, TRANSACTION_VERSION, TRANSACTION_VERSION},
    };
    size_t count = ARRAY_COUNT(features);
    response->supported_features =
        arena_new_n(arena, struct api_versions_response_supported_feature, count);
    response->finalized_features =
        arena_new_n(arena, struct api_versions_response_finalized_feature, count);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_from_str(features[i].name);
        response->supported_features[response->supported_features_count++] =
            (struct api_versions_response_supported_feature){
                name, features[i].min, features[i].max};
        if (features[i].level > 0)
            response->finalized_features[response->finalized_features_count++] =
                (struct api_versions_response_finalized_feature){
                    name, features[i].level, features[i].level};
    }
    response->finalized_features_epoch = 0;
}

enum handle_result api_versions_handle(struct request *req,
    const struct api_versions_request *request, struct api_versions_response *response)
{
    if (req->version >= FEATURES_SINCE && (!software_valid(request->client_software_name) ||
                                              !software_valid(request->client_software_version))) {
        response->error_code = KAFKA_ERROR_INVALID_REQUEST;
        return HANDLE_DONE;
    }
    bool share = broker_settings(req->conn->context)->group.share_enabled;
    struct encoded *encoded = encoded_of(req->version, share);
    if (encoded != NULL && encoded->size > 0) {
        request_answer(req, slice_make(encoded->bytes, encoded->size));
        return HANDLE_DONE;
    }
    fill_keys(&req->arena, response);
    fill_features(&req->arena, response, share);
    if (encoded != NULL)
        encoded_keep(encoded, req->version, response);
    return HANDLE_DONE;
}

bool api_versions_unsupported(void *context, int16_t key, int16_t version, struct writer *ret_reply)
{
    const struct api *own = &api_versions_api_codec;
    struct api_versions_response_api_key entry = {own->key, own->version_min, own->version_max};
    struct api_versions_response response;
    (void)context;
    (void)version;
    if (key != own->key)
        return false;
    api_versions_response_init(&response);
    response.error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
    response.api_keys = &entry;
    response.api_keys_count = 1;
    api_versions_response_encode(ret_reply, 0, &response);
    return true;
}
