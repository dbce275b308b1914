# SPDX-License-Identifier: BSD-2-Clause
# suite: timeout=180 threads=yes warnings=yes
#
# The newer group protocol (KIP-848): members share, move partitions while others keep theirs, commit with their epoch,
# come back as instances, subscribe by expression, and see topics grow.

from confluent_kafka import ConsumerGroupState, ConsumerGroupType, TopicPartition
from confluent_kafka.admin import NewPartitions

from rig import admin, consumer, create_topic, name, producer, until

topic = create_topic(name("consumer-a"), 6)
client = admin()
values = set()


def poll(*members):
    for member in members:
        message = member.poll(0.02)
        if message is not None and message.error() is None:
            values.add(message.value())


def shares(*members):
    poll(*members)
    return sorted(len(member.assignment()) for member in members)


def join(group, topics=None, **more):
    member = consumer(name(group), group_protocol="consumer", **more)
    member.subscribe(topics or [topic])
    return member


def describe(group):
    return client.describe_consumer_groups([name(group)])[name(group)].result(30)


# Members share, keep what they need not give, and take over from who leaves.
first = join("g")
until("all six", lambda: shares(first) == [6])
before = {p.partition for p in first.assignment()}
second = join("g")
until("three each", lambda: shares(first, second) == [3, 3])
assert {p.partition for p in first.assignment()} < before

writer = producer()
for i in range(60):
    writer.produce(topic, str(i).encode(), partition=i % 6)
assert writer.flush(30) == 0
until("all records", lambda: shares(first, second) and len(values) == 60)

listed = {group.group_id: group for group in client.list_consumer_groups().result(30).valid}
assert listed[name("g")].type == ConsumerGroupType.CONSUMER, listed[name("g")].type
until("stable", lambda: shares(first, second) and describe("g").state == ConsumerGroupState.STABLE)
seen = describe("g")
assert seen.type == ConsumerGroupType.CONSUMER and len(seen.members) == 2, seen
assert sorted(len(member.assignment.topic_partitions) for member in seen.members) == [3, 3]

second.close()
until("six again", lambda: shares(first) == [6])
first.commit(offsets=[TopicPartition(topic, p, 10) for p in range(6)], asynchronous=False)
committed = first.committed([TopicPartition(topic, p) for p in range(6)], timeout=30)
assert [p.offset for p in committed] == [10] * 6, committed

# The topic grows, and the group with it.
client.create_partitions([NewPartitions(topic, 8)])[topic].result(30)
until("eight", lambda: shares(first) == [8])
first.close()
until("nobody", lambda: describe("g").state == ConsumerGroupState.EMPTY)
client.delete_consumer_groups([name("g")])[name("g")].result(30)

# An instance that goes for a while comes back to what it had, and nobody else notices.
stay = join("static", group_instance_id="stay", group_remote_assignor="range")
go = join("static", group_instance_id="go", group_remote_assignor="range")
until("four each", lambda: shares(stay, go) == [4, 4])
had = {p.partition for p in go.assignment()}
kept = {p.partition for p in stay.assignment()}
go.close()
again = join("static", group_instance_id="go", group_remote_assignor="range")
until("the same four", lambda: shares(stay, again) == [4, 4])
assert {p.partition for p in again.assignment()} == had
assert {p.partition for p in stay.assignment()} == kept
again.close()
stay.close()

# By expression: what there is, and what comes.
pattern = "^" + name("consumer-").replace(".", "\\.") + "[ab]$"
reader = join("regex", [pattern])
until("the first topic", lambda: shares(reader) == [8])
create_topic(name("consumer-c"), 1)
create_topic(name("consumer-b"), 2)
until("the second too", lambda: shares(reader) == [10])
assert {p.topic for p in reader.assignment()} == {topic, name("consumer-b")}
reader.close()

# A classic member and a newer one in one group, in both directions.
old = consumer(name("mixed"), session_timeout_ms=6000, heartbeat_interval_ms=500)
old.subscribe([topic])
until("the classic one has all", lambda: shares(old) == [8])
new = join("mixed")
until("they share", lambda: shares(old, new) == [4, 4])
assert describe("mixed").type == ConsumerGroupType.CONSUMER
old.close()
until("the newer one has all", lambda: shares(new) == [8])
old = consumer(name("mixed"), session_timeout_ms=6000, heartbeat_interval_ms=500)
old.subscribe([topic])
until("they share again", lambda: shares(old, new) == [4, 4])
new.close()
until("the classic one has all again", lambda: shares(old) == [8])
assert describe("mixed").type == ConsumerGroupType.CLASSIC
old.close()
