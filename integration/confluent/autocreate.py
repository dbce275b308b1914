# SPDX-License-Identifier: BSD-2-Clause
#
# A producer of the current librdkafka writes to topics that nobody created, several at a time, without an error.

from rig import complaints, consumer, name, producer, read

topics = [name(f"topic-{i}") for i in range(10)]
reports = []
writer = producer()
for topic in topics:
    writer.produce(topic, b"x", on_delivery=lambda error, message: reports.append((error, message.offset())))
assert writer.flush(30) == 0
assert reports == [(None, 0)] * len(topics), reports

reader = consumer(name("group"))
reader.subscribe(topics)
assert {record.topic() for record in read(reader, len(topics))} == set(topics)
reader.close()
assert complaints == [], complaints
