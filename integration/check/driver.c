// SPDX-License-Identifier: BSD-2-Clause
//
// One librdkafka client of the workload checker. It works until SIGTERM, through whatever happens
// to the broker, and writes its history.
//
//   driver MODE name=N inc=I out=PATH topics=T:PARTITIONS,.. [key=value ..]
//
//   produce   acks=0|1|all idempotent=true|false codec=C rate=PER_SECOND
//   transact  txid=ID codec=C rate=..: transactions over all partitions, some aborted
//   pipe      txid=ID group=G sink=T:PARTITIONS: reads `topics`, writes `sink`, commits offsets and
//             records in one transaction
//   consume   group=G (subscribes and commits) or assign=true; isolation=read_committed|..
//   scan      isolation=..: everything from the beginning to the end, once
//
// The history is JSON lines, one file per life of a client; README.md has the fields. What is about
// to be asked is on its way to the file before it is asked, so a SIGKILL loses no invocation. A
// client that cannot go on (fenced, fatal) ends with status 3 and is started anew by the runner.

#include "rig.h"

#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { TOPICS_MAX = 8, PLACES_MAX = 64, VALUE_SIZE_MAX = 2000, BATCH_MAX = 100, ID_SIZE_MAX = 128 };
enum { WINDOW_COUNT = 500, STATUS_AGAIN = 3, LINE_SIZE_MAX = 16000 };

struct place {
    char topic[64];
    int partition;
    long sequence; // of the next record
};

static FILE *history;
static volatile sig_atomic_t stopping;
static int argument_count;
static char **argument_list;
static struct place places[PLACES_MAX], sinks[PLACES_MAX];
static int places_count, sinks_count;
static uint32_t random_state;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static const char *argument(const char *key, const char *otherwise)
{
    size_t size = strlen(key);
    for (int i = 2; i < argument_count; i++) {
        if (strncmp(argument_list[i], key, size) == 0 && argument_list[i][size] == '=')
            return argument_list[i] + size + 1;
    }
    CHECK(otherwise, "%s=.. is missing", key);
    return otherwise;
}

static unsigned pick(unsigned bound)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (random_state >> 8) % bound;
}

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long now_real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t digest_of(const char *bytes, size_t size)
{
    uint32_t digest = 2166136261U;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ (uint8_t)bytes[i]) * 16777619U;
    return digest;
}

// Writes one event; `format` begins behind the time and ends before the brace.
static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list arguments;
    flockfile(history); // librdkafka calls back on this thread only, but stays the owner of others
    fprintf(history, "{\"t\":%lld,", now_ns());
    va_start(arguments, format);
    vfprintf(history, format, arguments);
    va_end(arguments);
    fputs("}\n", history);
    fflush(history);
    funlockfile(history);
}

static int parse_places(const char *text, struct place *list)
{
    char copy[512];
    int count = 0;
    if (!*text)
        return 0;
    snprintf(copy, sizeof(copy), "%s", text);
    char *rest = copy;
    for (char *topic = strsep(&rest, ","); topic; topic = strsep(&rest, ",")) {
        char *colon = strchr(topic, ':');
        CHECK(colon, "%s has no number of partitions", topic);
        *colon = '\0';
        for (int i = 0; i < atoi(colon + 1); i++) {
            CHECK(count < PLACES_MAX, "too many partitions");
            snprintf(list[count].topic, sizeof(list[count].topic), "%s", topic);
            list[count++].partition = i;
        }
    }
    return count;
}

// --- clients ---

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char error[256];
    CHECK(!rd_kafka_conf_set(conf, key, value, error, sizeof(error)), "%s", error);
}

static rd_kafka_conf_t *conf_new(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", getenv("BOOTSTRAP"));
    set(conf, "reconnect.backoff.ms", "20");
    set(conf, "reconnect.backoff.max.ms", "200");
    set(conf, "retry.backoff.ms", "50");
    rd_kafka_conf_set_log_cb(conf, NULL);
    return conf;
}

static void on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    char *id = message->_private;
    if (!message->err) {
        note("\"e\":\"ok\",\"f\":\"send\",\"v\":\"%s\",\"o\":%lld", id, (long long)message->offset);
    } else {
        bool not = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
        note("\"e\":\"%s\",\"f\":\"send\",\"v\":\"%s\",\"why\":\"%s\"", not ? "fail" : "info", id,
            rd_kafka_err2name(message->err));
    }
    free(id);
}

static rd_kafka_t *producer_new(bool transactional)
{
    char error[256];
    rd_kafka_conf_t *conf = conf_new();
    set(conf, "linger.ms", "5");
    set(conf, "batch.num.messages", "50");
    set(conf, "message.timeout.ms", transactional ? "20000" : "120000");
    set(conf, "compression.codec", argument("codec", "none"));
    if (transactional) {
        set(conf, "transactional.id", argument("txid", NULL));
        set(conf, "transaction.timeout.ms", "30000");
    } else {
        bool idempotent = strcmp(argument("idempotent", "false"), "true") == 0;
        set(conf, "acks", argument("acks", "all"));
        set(conf, "enable.idempotence", idempotent ? "true" : "false");
        // Without idempotence order over a retry holds only with one request in flight.
        set(conf, "max.in.flight.requests.per.connection", idempotent ? "5" : "1");
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    return client;
}

static void give_up(const char *what, const char *why)
{
    note("\"e\":\"end\",\"at\":\"%s\",\"why\":\"%s\"", what, why);
    _exit(STATUS_AGAIN);
}

// --- sending ---

// Names, notes and produces one record. `source`: where the pipe had it from.
static void send_one(rd_kafka_t *client, struct place *place, long transaction, const char *source)
{
    char id[ID_SIZE_MAX], value[VALUE_SIZE_MAX];
    char txn[24] = "-";
    if (transaction >= 0)
        snprintf(txn, sizeof(txn), "%ld", transaction);
    snprintf(id, sizeof(id), "%s.%s:%s-%d:%ld:%s", argument("name", NULL), argument("inc", "0"),
        place->topic, place->partition, place->sequence++, txn);
    size_t filler = pick(8) == 0 ? pick(1500) : pick(100);
    char bytes[1500];
    for (size_t i = 0; i < filler; i++)
        bytes[i] = (char)('a' + pick(4));
    long long timestamp = now_real_ms();
    int head = snprintf(
        value, sizeof(value), "%s %lld %zu %u ", id, timestamp, filler, digest_of(bytes, filler));
    memcpy(value + head, bytes, filler);
    if (source)
        note("\"e\":\"invoke\",\"f\":\"send\",\"v\":\"%s\",\"src\":\"%s\"", id, source);
    else
        note("\"e\":\"invoke\",\"f\":\"send\",\"v\":\"%s\"", id);
    char *copy = strdup(id);
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev(client, RD_KAFKA_V_TOPIC(place->topic),
            RD_KAFKA_V_PARTITION(place->partition), RD_KAFKA_V_KEY(id, strlen(id)),
            RD_KAFKA_V_VALUE(value, (size_t)head + filler), RD_KAFKA_V_TIMESTAMP(timestamp),
            RD_KAFKA_V_HEADER("id", id, -1), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_OPAQUE(copy), RD_KAFKA_V_END);
        if (!error)
            return;
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            note("\"e\":\"fail\",\"f\":\"send\",\"v\":\"%s\",\"why\":\"%s\"", id,
                rd_kafka_err2name(error));
            free(copy);
            return;
        }
        rd_kafka_poll(client, 5);
    }
}

static void pace(rd_kafka_t *client, unsigned records)
{
    unsigned rate = (unsigned)atoi(argument("rate", "200"));
    long long until = now_ns() + 1000000000LL * records / (rate ? rate : 1);
    do
        rd_kafka_poll(client, 2);
    while (now_ns() < until);
}

static void produce(void)
{
    rd_kafka_t *client = producer_new(false);
    char why[256];
    while (!stopping) {
        unsigned count = 1 + pick(20);
        while (rd_kafka_outq_len(client) >= WINDOW_COUNT && !stopping)
            rd_kafka_poll(client, 10);
        for (unsigned i = 0; i < count; i++)
            send_one(client, &places[pick((unsigned)places_count)], -1, NULL);
        pace(client, count);
        if (rd_kafka_fatal_error(client, why, sizeof(why)))
            give_up("produce", "fatal");
    }
    rd_kafka_flush(client, 20000);
    note("\"e\":\"end\",\"f\":\"produce\",\"left\":%d", rd_kafka_outq_len(client));
}

// --- transactions ---

// Repeats the call until it succeeds or must not be repeated. NULL: done.
static const char *settle_txn(rd_kafka_t *client, bool commit)
{
    for (int i = 0; i < 30; i++) {
        rd_kafka_error_t *error = commit ? rd_kafka_commit_transaction(client, 5000)
                                         : rd_kafka_abort_transaction(client, 5000);
        if (!error)
            return NULL;
        bool again = rd_kafka_error_is_retriable(error);
        bool abort = rd_kafka_error_txn_requires_abort(error);
        rd_kafka_error_destroy(error);
        if (abort && commit)
            return "abort";
        if (!again)
            return "fatal";
    }
    return "late";
}

// Ends transaction `number`; gives up where it cannot be known how it ended.
static bool end_txn(rd_kafka_t *client, long number, bool commit)
{
    if (commit) {
        note("\"e\":\"invoke\",\"f\":\"commit\",\"x\":%ld", number);
        const char *how = settle_txn(client, true);
        if (!how) {
            note("\"e\":\"ok\",\"f\":\"commit\",\"x\":%ld", number);
            return true;
        }
        // "abort": the client says that the transaction is open, but what the coordinator did with
        // a commit that it was asked for is its own affair.
        note("\"e\":\"info\",\"f\":\"commit\",\"x\":%ld,\"why\":\"%s\"", number, how);
        if (strcmp(how, "abort") != 0)
            give_up("commit", how);
    }
    note("\"e\":\"invoke\",\"f\":\"abort\",\"x\":%ld", number);
    const char *how = settle_txn(client, false);
    if (how) {
        note("\"e\":\"info\",\"f\":\"abort\",\"x\":%ld,\"why\":\"%s\"", number, how);
        give_up("abort", how);
    }
    note("\"e\":\"ok\",\"f\":\"abort\",\"x\":%ld", number);
    return false;
}

static void must(rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return;
    char why[64];
    snprintf(why, sizeof(why), "%s", rd_kafka_error_name(error));
    rd_kafka_error_destroy(error);
    give_up(what, why);
}

static rd_kafka_t *transactional_new(void)
{
    rd_kafka_t *client = producer_new(true);
    note("\"e\":\"invoke\",\"f\":\"init\"");
    for (int i = 0;; i++) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(client, 5000);
        if (!error)
            break;
        if (!rd_kafka_error_is_retriable(error) || i == 20 || stopping)
            must(error, "init");
        rd_kafka_error_destroy(error);
    }
    note("\"e\":\"ok\",\"f\":\"init\"");
    return client;
}

static void transact(void)
{
    rd_kafka_t *client = transactional_new();
    for (long number = 0; !stopping; number++) {
        bool commit = pick(10) < 7;
        unsigned count = 1 + pick(12), width = 1 + pick((unsigned)places_count);
        must(rd_kafka_begin_transaction(client), "begin");
        note("\"e\":\"invoke\",\"f\":\"begin\",\"x\":%ld", number);
        for (unsigned i = 0; i < count; i++)
            send_one(client, &places[pick(width)], number, NULL);
        if (pick(3) == 0)
            rd_kafka_flush(client, 5000); // what is acknowledged within an open transaction
        if (pick(4) == 0)
            usleep(pick(60000));
        end_txn(client, number, commit);
        pace(client, count);
    }
    note("\"e\":\"end\",\"f\":\"transact\"");
}

// --- reading ---

static char batch_line[LINE_SIZE_MAX];
static int batch_size, batch_count;
static char batch_place[96];
static long long batch_from_ns;

static void batch_flush(void)
{
    if (batch_count > 0)
        note("\"e\":\"ok\",\"f\":\"poll\",\"k\":\"%s\",\"r\":[%s]", batch_place, batch_line);
    batch_count = batch_size = 0;
}

// What is wrong with the record, or NULL. The id goes to `ret_id`.
static const char *record_fault(const rd_kafka_message_t *message, char *ret_id)
{
    char head[ID_SIZE_MAX + 64];
    size_t filler = 0;
    unsigned digest = 0;
    long long timestamp = 0;
    int at = 0;
    snprintf(head, sizeof(head), "%.*s", (int)message->len, (const char *)message->payload);
    strcpy(ret_id, "?");
    if (sscanf(head, "%127s %lld %zu %u %n", ret_id, &timestamp, &filler, &digest, &at) != 4)
        return "form";
    const char *bytes = (const char *)message->payload + at;
    if ((size_t)at + filler != message->len || digest_of(bytes, filler) != digest)
        return "value";
    if (message->key_len != strlen(ret_id) || memcmp(message->key, ret_id, message->key_len) != 0)
        return "key";
    if (rd_kafka_message_timestamp(message, NULL) != timestamp)
        return "timestamp";
    rd_kafka_headers_t *headers = NULL;
    const void *header = NULL;
    size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, "id", &header, &size) || size != strlen(ret_id) ||
        memcmp(header, ret_id, size) != 0)
        return "header";
    return NULL;
}

static void batch_add(const rd_kafka_message_t *message, bool timestamps)
{
    char id[ID_SIZE_MAX], place[96];
    const char *fault = record_fault(message, id);
    snprintf(place, sizeof(place), "%s-%d", rd_kafka_topic_name(message->rkt), message->partition);
    if (fault)
        note("\"e\":\"bad\",\"k\":\"%s\",\"o\":%lld,\"why\":\"%s\"", place,
            (long long)message->offset, fault);
    if (batch_count > 0 &&
        (strcmp(place, batch_place) != 0 || batch_size > LINE_SIZE_MAX - 2 * ID_SIZE_MAX ||
            now_ns() - batch_from_ns > 20000000))
        batch_flush();
    if (batch_count == 0) {
        strcpy(batch_place, place);
        batch_from_ns = now_ns();
    }
    batch_size += snprintf(batch_line + batch_size, sizeof(batch_line) - (size_t)batch_size,
        "%s[%lld,\"%s\"", batch_count ? "," : "", (long long)message->offset, id);
    if (timestamps)
        batch_size += snprintf(batch_line + batch_size, sizeof(batch_line) - (size_t)batch_size,
            ",%lld", (long long)rd_kafka_message_timestamp(message, NULL));
    batch_size += snprintf(batch_line + batch_size, sizeof(batch_line) - (size_t)batch_size, "]");
    batch_count++;
}

static int generation_of(rd_kafka_t *client)
{
    // The public way to carry a member's generation is this serialized form: "CGMDv2:" and an int.
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(client);
    void *bytes = NULL;
    size_t size = 0;
    int32_t generation = -1;
    if (metadata && !rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size) && size > 11 &&
        memcmp(bytes, "CGMDv2:", 7) == 0)
        memcpy(&generation, (char *)bytes + 7, sizeof(generation));
    free(bytes);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return generation;
}

static struct rd_kafka_message_s *held[BATCH_MAX]; // the pipe's, until they are written on
static int held_count;

static void held_drop(void)
{
    for (int i = 0; i < held_count; i++)
        rd_kafka_message_destroy(held[i]);
    held_count = 0;
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t error,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
    (void)opaque;
    char text[LINE_SIZE_MAX] = "";
    int size = 0;
    batch_flush();
    held_drop();
    for (int i = 0; i < list->cnt; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s\"%s-%d\"", i ? "," : "",
            list->elems[i].topic, list->elems[i].partition);
    bool assign = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    char *member = rd_kafka_memberid(client);
    note("\"e\":\"%s\",\"gen\":%d,\"member\":\"%s\",\"k\":[%s]", assign ? "assign" : "revoke",
        generation_of(client), member ? member : "", text);
    rd_kafka_mem_free(client, member);
    rd_kafka_assign(client, assign ? list : NULL);
}

static rd_kafka_t *consumer_new(const char *isolation, bool eof)
{
    char error[256];
    rd_kafka_conf_t *conf = conf_new();
    set(conf, "group.id", argument("group", "nobody"));
    set(conf, "enable.auto.commit", "false");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.partition.eof", eof ? "true" : "false");
    set(conf, "isolation.level", isolation);
    set(conf, "session.timeout.ms", "6000");
    set(conf, "heartbeat.interval.ms", "500");
    set(conf, "fetch.wait.max.ms", "100");
    set(conf, "fetch.error.backoff.ms", "50");
    set(conf, "topic.metadata.refresh.interval.ms", "5000");
    set(conf, "check.crcs", "true");
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    rd_kafka_poll_set_consumer(client);
    return client;
}

static void subscribe(rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(TOPICS_MAX);
    for (int i = 0; i < places_count; i++) {
        if (places[i].partition == 0)
            rd_kafka_topic_partition_list_add(list, places[i].topic, RD_KAFKA_PARTITION_UA);
    }
    CHECK(!rd_kafka_subscribe(client, list), "subscribe");
    rd_kafka_topic_partition_list_destroy(list);
}

static void assign_all(rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(places_count);
    char text[LINE_SIZE_MAX] = "";
    int size = 0;
    for (int i = 0; i < places_count; i++) {
        rd_kafka_topic_partition_list_add(list, places[i].topic, places[i].partition)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s\"%s-%d\"", i ? "," : "",
            places[i].topic, places[i].partition);
    }
    note("\"e\":\"assign\",\"k\":[%s]", text);
    CHECK(!rd_kafka_assign(client, list), "assign");
    rd_kafka_topic_partition_list_destroy(list);
}

static bool refused(rd_kafka_resp_err_t error)
{
    switch (error) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID: return true;
    default: return false;
    }
}

static void commit_positions(rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    char text[LINE_SIZE_MAX] = "";
    int size = 0;
    if (rd_kafka_assignment(client, &list))
        return;
    rd_kafka_position(client, list);
    for (int i = list->cnt - 1; i >= 0; i--) {
        if (list->elems[i].offset < 0) {
            rd_kafka_topic_partition_list_del_by_idx(list, i);
            continue;
        }
        size +=
            snprintf(text + size, sizeof(text) - (size_t)size, "%s\"%s-%d\":%lld", size ? "," : "",
                list->elems[i].topic, list->elems[i].partition, (long long)list->elems[i].offset);
    }
    static long number;
    if (list->cnt > 0) {
        batch_flush();
        note("\"e\":\"invoke\",\"f\":\"commit\",\"n\":%ld,\"gen\":%d,\"off\":{%s}", ++number,
            generation_of(client), text);
        rd_kafka_resp_err_t error = rd_kafka_commit(client, list, 0);
        for (int i = 0; i < list->cnt && !error; i++)
            error = list->elems[i].err;
        note("\"e\":\"%s\",\"f\":\"commit\",\"n\":%ld,\"why\":\"%s\"",
            !error           ? "ok"
            : refused(error) ? "fail"
                             : "info",
            number, rd_kafka_err2name(error));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void consume(void)
{
    bool group = strcmp(argument("assign", "false"), "true") != 0;
    rd_kafka_t *client = consumer_new(argument("isolation", "read_uncommitted"), false);
    if (group)
        subscribe(client);
    else
        assign_all(client);
    long long commit_ns = now_ns();
    while (!stopping) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 20);
        if (message && !message->err)
            batch_add(message, false);
        else
            batch_flush();
        if (message && message->err)
            note("\"e\":\"error\",\"why\":\"%s\"", rd_kafka_err2name(message->err));
        if (message)
            rd_kafka_message_destroy(message);
        if (group && now_ns() - commit_ns > 200000000) {
            commit_positions(client);
            commit_ns = now_ns();
        }
    }
    batch_flush();
    if (group)
        commit_positions(client);
    note("\"e\":\"end\",\"f\":\"consume\"");
    rd_kafka_consumer_close(client);
}

static void scan(void)
{
    rd_kafka_t *client = consumer_new(argument("isolation", NULL), true);
    assign_all(client);
    for (int left = places_count; left > 0 && !stopping;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            batch_flush();
            note("\"e\":\"ok\",\"f\":\"eof\",\"k\":\"%s-%d\",\"o\":%lld",
                rd_kafka_topic_name(message->rkt), message->partition, (long long)message->offset);
            left--;
        } else if (message->err) {
            note("\"e\":\"error\",\"why\":\"%s\"", rd_kafka_err2name(message->err));
        } else {
            batch_add(message, true);
        }
        rd_kafka_message_destroy(message);
    }
    batch_flush();
    note("\"e\":\"end\",\"f\":\"scan\"");
    rd_kafka_consumer_close(client);
}

// --- the pipe ---

// Writes on what is held, with the offsets, in one transaction.
static void pipe_pass(rd_kafka_t *producer, rd_kafka_t *consumer, long number)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(places_count);
    char text[LINE_SIZE_MAX] = "", source[128];
    int size = 0;
    must(rd_kafka_begin_transaction(producer), "begin");
    note("\"e\":\"invoke\",\"f\":\"begin\",\"x\":%ld", number);
    for (int i = 0; i < held_count; i++) {
        const char *topic = rd_kafka_topic_name(held[i]->rkt);
        rd_kafka_topic_partition_t *entry =
            rd_kafka_topic_partition_list_find(offsets, topic, held[i]->partition);
        if (!entry)
            entry = rd_kafka_topic_partition_list_add(offsets, topic, held[i]->partition);
        entry->offset = held[i]->offset + 1;
        snprintf(source, sizeof(source), "%s-%d@%lld", topic, held[i]->partition,
            (long long)held[i]->offset);
        send_one(producer, &sinks[pick((unsigned)sinks_count)], number, source);
    }
    held_drop();
    for (int i = 0; i < offsets->cnt; i++)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s\"%s-%d\":%lld", i ? "," : "",
            offsets->elems[i].topic, offsets->elems[i].partition,
            (long long)offsets->elems[i].offset);
    note("\"e\":\"invoke\",\"f\":\"offsets\",\"x\":%ld,\"off\":{%s}", number, text);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(producer, offsets, group, 20000);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    bool good = error == NULL;
    if (error) {
        note("\"e\":\"info\",\"f\":\"offsets\",\"x\":%ld,\"why\":\"%s\"", number,
            rd_kafka_error_name(error));
        rd_kafka_error_destroy(error);
    }
    // What was read of an aborted transaction is read again by the next life.
    if (!end_txn(producer, number, good && pick(20) != 0))
        give_up("pipe", "aborted");
}

static void pipe_run(void)
{
    rd_kafka_t *producer = transactional_new();
    rd_kafka_t *consumer = consumer_new("read_committed", false);
    subscribe(consumer);
    for (long number = 0; !stopping;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 50);
        rd_kafka_poll(producer, 0);
        if (message && message->err)
            rd_kafka_message_destroy(message);
        else if (message)
            held[held_count++] = message;
        if (held_count == BATCH_MAX || (!message && held_count > 0))
            pipe_pass(producer, consumer, number++);
    }
    held_drop();
    note("\"e\":\"end\",\"f\":\"pipe\"");
    rd_kafka_consumer_close(consumer);
}

int main(int count, char **arguments)
{
    CHECK(count > 2, "usage: driver MODE key=value..");
    argument_count = count;
    argument_list = arguments;
    const char *mode = arguments[1], *name = argument("name", NULL);
    history = fopen(argument("out", NULL), "w");
    CHECK(history, "%s", argument("out", NULL));
    places_count = parse_places(argument("topics", NULL), places);
    sinks_count = parse_places(argument("sink", ""), sinks);
    random_state = digest_of(name, strlen(name)) +
                   (uint32_t)atoi(argument("seed", "1")) * 2654435761U +
                   (uint32_t)atoi(argument("inc", "0"));
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    note("\"e\":\"start\",\"p\":\"%s\",\"i\":%s,\"mode\":\"%s\",\"acks\":\"%s\",\"idempotent\":%s,"
         "\"txid\":\"%s\",\"group\":\"%s\",\"isolation\":\"%s\",\"client\":\"librdkafka %s\"",
        name, argument("inc", "0"), mode, argument("acks", "all"), argument("idempotent", "false"),
        argument("txid", ""), argument("group", ""), argument("isolation", "read_uncommitted"),
        rd_kafka_version_str());
    if (strcmp(mode, "produce") == 0)
        produce();
    else if (strcmp(mode, "transact") == 0)
        transact();
    else if (strcmp(mode, "pipe") == 0)
        pipe_run();
    else if (strcmp(mode, "consume") == 0)
        consume();
    else if (strcmp(mode, "scan") == 0)
        scan();
    else
        CHECK(false, "no such mode: %s", mode);
    fclose(history);
    _exit(0); // the handles and their threads end with the process
}
