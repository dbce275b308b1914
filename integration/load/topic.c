// SPDX-License-Identifier: BSD-2-Clause
//
//   topic NAME PARTITIONS     creates a topic

#include "rig.h"

int main(int count, char **arguments)
{
    CHECK(count == 3, "usage: topic NAME PARTITIONS");
    rd_kafka_t *client = rig_producer(NULL);
    rig_create_topic(client, arguments[1], atoi(arguments[2]));
    rig_close(client);
    return 0;
}
