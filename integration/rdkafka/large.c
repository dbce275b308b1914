// SPDX-License-Identifier: BSD-2-Clause
//
// A record larger than the broker's message.max.bytes is refused by name, and the connection goes
// on.

#include "rig.h"

int main(void)
{
    const char *topic = rig_name("large");
    const char *settings[] = {"message.max.bytes", "5000000", "linger.ms", "0", NULL};
    rd_kafka_t *producer = rig_producer(settings);
    rig_create_topic(producer, topic, 1);
    char *large = calloc(1, 2000000);
    for (int i = 0; i < 3; i++) {
        struct rig_report report = rig_send(producer, topic, 0, NULL, 0, "small", 5, NULL);
        CHECK(!report.error && report.offset == i, "%s", rd_kafka_err2str(report.error));
        report = rig_send(producer, topic, 0, NULL, 0, large, 2000000, NULL);
        CHECK(report.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "%s",
            rd_kafka_err2name(report.error));
    }
    rig_close(producer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    free(large);
    return 0;
}
