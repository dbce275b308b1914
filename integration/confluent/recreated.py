# SPDX-License-Identifier: BSD-2-Clause
# suite: timeout=90 threads=yes
#
# A topic deleted and created again under a living producer and consumer is a new topic with a new id: the current
# librdkafka fetches by topic id, so a stale one must be refused, not served. The reader, now beyond the end, starts over.

from confluent_kafka import TopicCollection

from rig import WAIT, admin, consumer, create_topic, name, producer, until

topic = create_topic(name("recreated"))
client = admin()


def topic_id():
    return str(client.describe_topics(TopicCollection([topic]))[topic].result(WAIT).topic_id)


def send(value):
    done = []
    writer.produce(topic, value, on_delivery=lambda error, message: done.append((error, message.offset())))
    assert writer.flush(WAIT) == 0
    return done[0]


writer = producer(topic_metadata_refresh_interval_ms=500)
reader = consumer(name("group"), topic_metadata_refresh_interval_ms=500, enable_auto_commit=False)
reader.subscribe([topic])
assert send(b"old") == (None, 0)
assert send(b"older") == (None, 1)
seen = []


def poll():
    message = reader.poll(0.1)
    if message is not None and message.error() is None:
        seen.append(message.value())
    return seen


until("the old records", lambda: poll() == [b"old", b"older"])
first = topic_id()
client.delete_topics([topic])[topic].result(WAIT)
until("no topic", lambda: topic not in client.list_topics(timeout=WAIT).topics)
create_topic(topic)
assert topic_id() != first

writer = producer()
assert send(b"new") == (None, 0), "offsets begin again"
until("the new record", lambda: poll()[-1] == b"new")
reader.close()
