// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * broker_harness: a whole broker on N loops, without sockets: for tests of handlers. Data lie in a
 * temporary directory of the test's own (harness_restart keeps it), or in memory. A call builds a
 * request, runs the API's handler on the loop where net would run it, and waits for the answer;
 * harness_send does not wait. Used from the test's thread alone.
 *
 *   struct harness *harness = harness_new(2, "num.partitions=3", NULL);
 *   struct metadata_request *ask = harness_request(harness, &metadata_api_codec);
 *   ...
 *   const struct metadata_response *answer = harness_call(harness, &metadata_api_codec, 9, ask);
 *
 * With HARNESS_ENGINE_DELAY in the environment every broker runs on the delay engine.
 *
 * Requests and answers live until harness_forget or harness_free. The handler comes from the table
 * of served APIs, found by the codec's key.
 */
#include "base/arena.h"
#include "broker/broker.h"
#include "net/request.h"
#include "wire/api.h"

struct harness;

/* Overrides are "key=value", ended by NULL. The dev profile; small timeouts are the test's. */
struct harness *harness_new(unsigned loops, ...) __attribute__((sentinel));
/* Stops the broker cleanly and starts it again on the same directory, with the same overrides and
 * those given. */
void harness_restart(struct harness *harness, ...) __attribute__((sentinel));
void harness_free(struct harness *harness);
/* Frees the requests and answers so far. */
void harness_forget(struct harness *harness);

struct broker *harness_broker(struct harness *harness);
struct arena *harness_arena(struct harness *harness); /* for what requests point to */
const char *harness_dir(struct harness *harness);

/* An initialised request message of the API, in the harness's arena. */
void *harness_request(struct harness *harness, const struct api *codec);
/* Handles it on behalf of connection `conn` (1 when not said) with client id "harness"; the
 * response. Fails the test after ten seconds, and when the handler does not answer (no reply, or
 * close). */
const void *harness_call(
    struct harness *harness, const struct api *codec, int16_t version, const void *request);

/* The same in two steps, for requests that wait. */
struct harness_call;
struct harness_call *harness_send(struct harness *harness, const struct api *codec, int16_t version,
    const void *request, uint64_t conn);
bool harness_call_done(struct harness_call *call);
/* Waits up to `timeout_ms`; NULL: not answered. */
const void *harness_wait(struct harness_call *call, int timeout_ms);
/* What became of it: HANDLE_DONE for an answer, HANDLE_NO_REPLY, HANDLE_CLOSE. */
enum handle_result harness_result(struct harness_call *call);
/* With odradek.virtual.brokers: which of them (0 is the first) the calls from here on are addressed
 * to. */
void harness_address(struct harness *harness, int broker);
/* The connection ends: its parked requests are cancelled, those who watch it are told. */
void harness_close_conn(struct harness *harness, uint64_t conn);

/* Runs fn on a loop and waits for it. */
void harness_on_loop(struct harness *harness, unsigned loop, void (*fn)(void *ctx), void *ctx);
