// SPDX-License-Identifier: BSD-2-Clause
#include "rig.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned complaint_count;
static unsigned pending_count; // posted, not yet reported

void rig_fail(const char *file, int line, const char *what, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: not so: %s: ", file, line, what);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    CHECK(value, "%s is not set", name);
    return value;
}

const char *rig_name(const char *suffix)
{
    char *name = NULL;
    CHECK(asprintf(&name, "%s%s", variable("PREFIX"), suffix) > 0, "no memory");
    return name;
}

int64_t rig_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void rig_control(const char *word)
{
    free(rig_ask(word));
}

char *rig_ask(const char *word)
{
    const char *port = strrchr(variable("CONTROL"), ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(
        connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "control does not answer");
    dprintf(fd, "%s\n", word);
    char answer[512] = "";
    ssize_t size = read(fd, answer, sizeof(answer) - 1);
    close(fd);
    CHECK(size >= 2 && memcmp(answer, "ok", 2) == 0, "control %s: %s", word, answer);
    answer[strcspn(answer, "\n")] = '\0';
    char *rest = strdup(answer + (answer[2] == ' ' ? 3 : 2));
    CHECK(rest, "no memory");
    return rest;
}

static void client_on_log(
    const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    fprintf(
        stderr, "%%%d|%s|%s| %s\n", level, facility, client ? rd_kafka_name(client) : "?", text);
    if (level <= 5)
        complaint_count++;
}

static void client_on_error(rd_kafka_t *client, int error, const char *reason, void *opaque)
{
    (void)opaque;
    fprintf(stderr, "error|%s| %s: %s\n", rd_kafka_name(client),
        rd_kafka_err2name((rd_kafka_resp_err_t)error), reason);
    complaint_count++;
}

static void producer_on_report(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    (void)opaque;
    struct rig_report *report = message->_private;
    if (report) {
        *report = (struct rig_report){message->err, message->partition, message->offset};
        return;
    }
    CHECK(message->err == 0, "delivery: %s", rd_kafka_err2str(message->err));
    pending_count--;
}

static rd_kafka_conf_t *conf_new(const char *const *settings)
{
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, client_on_log);
    rd_kafka_conf_set_error_cb(conf, client_on_error);
    CHECK(
        !rd_kafka_conf_set(conf, "bootstrap.servers", variable("BOOTSTRAP"), error, sizeof(error)),
        "%s", error);
    for (; settings && *settings; settings += 2) {
        CHECK(
            !rd_kafka_conf_set(conf, settings[0], settings[1], error, sizeof(error)), "%s", error);
    }
    return conf;
}

rd_kafka_t *rig_producer(const char *const *settings)
{
    char error[512];
    rd_kafka_conf_t *conf = conf_new(settings);
    rd_kafka_conf_set_dr_msg_cb(conf, producer_on_report);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    return client;
}

rd_kafka_t *rig_consumer(const char *group, const char *const *settings)
{
    char error[512];
    rd_kafka_conf_t *conf = conf_new(settings);
    CHECK(!rd_kafka_conf_set(conf, "group.id", group, error, sizeof(error)), "%s", error);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    CHECK(client, "%s", error);
    rd_kafka_poll_set_consumer(client);
    return client;
}

void rig_close(rd_kafka_t *client)
{
    if (rd_kafka_type(client) == RD_KAFKA_CONSUMER)
        rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
}

unsigned rig_complaints(void)
{
    return complaint_count;
}

static bool topic_listed(rd_kafka_t *client, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    CHECK(!rd_kafka_metadata(client, 1, NULL, &metadata, RIG_WAIT_MS), "no metadata");
    bool found = false;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        found |= strcmp(metadata->topics[i].topic, topic) == 0 && metadata->topics[i].err == 0;
    }
    rd_kafka_metadata_destroy(metadata);
    return found;
}

void rig_create_topic(rd_kafka_t *client, const char *topic, int partitions)
{
    char error[512];
    rd_kafka_NewTopic_t *new_topic =
        rd_kafka_NewTopic_new(topic, partitions, 1, error, sizeof(error));
    CHECK(new_topic, "%s", error);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &new_topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RIG_WAIT_MS);
    CHECK(event && !rd_kafka_event_error(event), "%s",
        event ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    CHECK(!rd_kafka_topic_result_error(topics[0]), "%s",
        rd_kafka_topic_result_error_string(topics[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(new_topic);
    while (!topic_listed(client, topic))
        usleep(10000);
}

struct rig_report rig_send(rd_kafka_t *producer, const char *topic, int32_t partition,
    const void *key, size_t key_size, const void *value, size_t value_size,
    rd_kafka_headers_t *take_headers)
{
    struct rig_report report = {.partition = -2};
    const void *value_or_null = value;
    rd_kafka_resp_err_t error = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
        RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key_size),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value_or_null, value_size),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(take_headers),
        RD_KAFKA_V_OPAQUE(&report), RD_KAFKA_V_END);
    CHECK(!error, "%s", rd_kafka_err2str(error));
    int64_t deadline = rig_now_ms() + RIG_WAIT_MS;
    while (report.partition == -2) {
        CHECK(rig_now_ms() < deadline, "no delivery report");
        rd_kafka_poll(producer, 100);
    }
    return report;
}

void rig_post(
    rd_kafka_t *producer, const char *topic, int32_t partition, const char *key, const char *value)
{
    rd_kafka_resp_err_t error;
    while ((error = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
                RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
                RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer, 100);
    }
    CHECK(!error, "%s", rd_kafka_err2str(error));
    pending_count++;
}

void rig_flush(rd_kafka_t *producer)
{
    CHECK(!rd_kafka_flush(producer, RIG_WAIT_MS), "flush");
    CHECK(pending_count == 0, "%u records without a report", pending_count);
}

void rig_assign(rd_kafka_t *consumer, const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    CHECK(!rd_kafka_assign(consumer, list), "assign");
    rd_kafka_topic_partition_list_destroy(list);
}

rd_kafka_message_t *rig_next(rd_kafka_t *consumer, int timeout_ms)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, timeout_ms);
    if (message)
        CHECK(!message->err, "%s: %s", rd_kafka_err2name(message->err),
            rd_kafka_message_errstr(message));
    return message;
}
