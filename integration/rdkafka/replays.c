// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes
//
// Transactions v1, which is what librdkafka speaks, with requests that come late or twice (a proxy
// holds and repeats them). All transactions of one producer share an epoch, so what tells an
// earlier transaction's requests from a later one's are the sequences of records and nothing
// else: repeated Produce and AddPartitionsToTxn requests change nothing, and an EndTxn changes
// nothing while no transaction is open. That a late EndTxn ends the next transaction cannot be
// prevented by any broker: it is, byte for byte, the request that would be sent for it.
// Transactions v2 prevent it (java/Replays).

#include "rig.h"

static const char *topic;

static void must(rd_kafka_error_t *error, const char *what)
{
    CHECK(error == NULL, "%s: %s", what, rd_kafka_error_string(error));
}

static rd_kafka_t *transactional(void)
{
    const char *settings[] = {"transactional.id", rig_name("replayed"), "linger.ms", "1",
        "reconnect.backoff.max.ms", "200", "retry.backoff.ms", "20", "bootstrap.servers",
        rig_ask("proxy address"), NULL};
    rd_kafka_t *producer = rig_producer(settings);
    must(rd_kafka_init_transactions(producer, RIG_WAIT_MS), "init");
    return producer;
}

static void begin(rd_kafka_t *producer, const char *value)
{
    must(rd_kafka_begin_transaction(producer), "begin");
    rig_post(producer, topic, 0, NULL, value);
    rd_kafka_flush(producer, RIG_WAIT_MS);
}

static void replay(const char *keys, int least)
{
    char words[64];
    snprintf(words, sizeof(words), "proxy replay %s", keys);
    char *answered = rig_ask(words);
    CHECK(atoi(answered) >= least, "%s requests of kinds %s were repeated", answered, keys);
    free(answered);
}

static void check_values(const char *const *wanted)
{
    const char *settings[] = {"isolation.level", "read_committed", NULL};
    rd_kafka_t *consumer = rig_consumer(rig_name("reader"), settings);
    rig_assign(consumer, topic, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (;; wanted++) {
        rd_kafka_message_t *message = rig_next(consumer, *wanted ? RIG_WAIT_MS : 500);
        if (message == NULL)
            break;
        CHECK(*wanted, "one record too many: %.*s", (int)message->len, (char *)message->payload);
        CHECK(
            message->len == strlen(*wanted) && memcmp(message->payload, *wanted, message->len) == 0,
            "%.*s instead of %s", (int)message->len, (char *)message->payload, *wanted);
        rd_kafka_message_destroy(message);
    }
    CHECK(*wanted == NULL, "%s is missing", *wanted);
    rig_close(consumer);
}

int main(void)
{
    topic = rig_name("replays");
    rd_kafka_t *producer = transactional();
    rig_create_topic(producer, topic, 1);

    rig_control("proxy record");
    begin(producer, "one");
    must(rd_kafka_commit_transaction(producer, RIG_WAIT_MS), "commit");
    replay("0,24", 2); // nothing is open
    replay("26", 1);
    check_values((const char *const[]){"one", NULL});

    begin(producer, "two");
    replay("0,24", 2); // in the middle of the next transaction
    must(rd_kafka_abort_transaction(producer, RIG_WAIT_MS), "abort");

    begin(producer, "three");
    must(rd_kafka_commit_transaction(producer, RIG_WAIT_MS), "commit");

    rig_control("proxy hold 0"); // a Produce that comes when its transaction is over
    begin(producer, "four");
    must(rd_kafka_commit_transaction(producer, RIG_WAIT_MS), "commit");
    char *released = rig_ask("proxy release");
    CHECK(strcmp(released, "1") == 0, "%s requests were held", released);
    free(released);
    rig_control("proxy forget");
    check_values((const char *const[]){"one", "three", "four", NULL});
    rig_close(producer);
    return 0;
}
