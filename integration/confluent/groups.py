# SPDX-License-Identifier: BSD-2-Clause
# suite: timeout=90 threads=yes
#
# The cooperative assignor moves partitions without stopping the world; a static member comes back to what it had.

from confluent_kafka import TopicPartition

from rig import consumer, create_topic, name, producer, until

topic = create_topic(name("groups"), 6)
values = set()


def poll(*members):
    for member in members:
        message = member.poll(0.02)
        if message is not None:
            assert message.error() is None, message.error()
            values.add(message.value())


def shares(*members):
    poll(*members)
    return sorted(len(member.assignment()) for member in members)


def join(group, **more):
    member = consumer(name(group), session_timeout_ms=6000, heartbeat_interval_ms=500, **more)
    member.subscribe([topic])
    return member


# Cooperative: the first keeps what it does not have to give.
first = join("cooperative", partition_assignment_strategy="cooperative-sticky")
until("all six", lambda: shares(first) == [6])
before = {p.partition for p in first.assignment()}
second = join("cooperative", partition_assignment_strategy="cooperative-sticky")
until("three each", lambda: shares(first, second) == [3, 3])
assert {p.partition for p in first.assignment()} < before

writer = producer()
for i in range(60):
    writer.produce(topic, str(i).encode(), partition=i % 6)
assert writer.flush(30) == 0
until("all records", lambda: shares(first, second) and len(values) == 60)
second.close()
until("six again", lambda: shares(first) == [6])
first.commit(asynchronous=False)
committed = first.committed([TopicPartition(topic, p) for p in range(6)], timeout=30)
assert [p.offset for p in committed] == [10] * 6, committed
first.close()

# Static: within its session a member may go and come, and nobody rebalances.
stay = join("static", group_instance_id="stay", partition_assignment_strategy="range")
go = join("static", group_instance_id="go", partition_assignment_strategy="range")
until("three each", lambda: shares(stay, go) == [3, 3])
had = {p.partition for p in go.assignment()}
kept = {p.partition for p in stay.assignment()}
go.close()
again = join("static", group_instance_id="go", partition_assignment_strategy="range")
until("the same three", lambda: shares(stay, again) == [3, 3])
assert {p.partition for p in again.assignment()} == had
assert {p.partition for p in stay.assignment()} == kept
again.close()
stay.close()
