// SPDX-License-Identifier: BSD-2-Clause
//
// A producer writes to topics that nobody created, one after the other, without an error.

#include "rig.h"

enum { TOPICS = 3 };

int main(void)
{
    rd_kafka_t *producer = rig_producer(NULL);
    char suffix[16];
    for (int i = 0; i < TOPICS; i++) {
        snprintf(suffix, sizeof(suffix), "topic-%d", i);
        struct rig_report report =
            rig_send(producer, rig_name(suffix), RD_KAFKA_PARTITION_UA, NULL, 0, "x", 1, NULL);
        CHECK(!report.error && report.offset == 0, "%s", rd_kafka_err2str(report.error));
    }
    rig_close(producer);
    CHECK(rig_complaints() == 0, "%u complaints", rig_complaints());
    return 0;
}
