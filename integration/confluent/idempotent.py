# SPDX-License-Identifier: BSD-2-Clause
# suite: timeout=120 warnings=yes
#
# The idempotent producer of a current librdkafka over a restart and a kill: once, in order.

import time

from rig import consumer, control, create_topic, name, producer, read

COUNT = 3000
topic = create_topic(name("idempotent"))
writer = producer(enable_idempotence=True, linger_ms=1, batch_num_messages=20, reconnect_backoff_max_ms=500)
failures = []
for i in range(COUNT):
    if i == COUNT // 3:
        control("restart")
    if i == 2 * COUNT // 3:
        control("kill")
        control("start")
    writer.produce(topic, str(i).encode(), on_delivery=lambda error, _: error and failures.append(error))
    writer.poll(0)
    if i % 10 == 0:
        time.sleep(0.001)
assert writer.flush(60) == 0
assert failures == [], failures

reader = consumer(name("group"))
reader.subscribe([topic])
assert [int(record.value()) for record in read(reader, COUNT)] == list(range(COUNT))
assert reader.poll(0.5) is None, "more records than were sent"
reader.close()
