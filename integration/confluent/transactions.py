# SPDX-License-Identifier: BSD-2-Clause
# suite: timeout=120 threads=yes
#
# Transactions of several producers at once, each over all partitions and with offsets: what is committed is everywhere,
# what is aborted is nowhere, and the offsets say the same. A successor keeps its predecessor out.

import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

from rig import consumer, create_topic, name, producer, read

PARTITIONS = 4
PRODUCERS = 3
ROUNDS = 12

source = create_topic(name("source"), PRODUCERS)
target = create_topic(name("target"), PARTITIONS)
seed = producer()
for i in range(PRODUCERS * ROUNDS):
    seed.produce(source, b"x", partition=i % PRODUCERS)
assert seed.flush(30) == 0
failures = []


def work(number):
    """Each round is one transaction over all partitions; every third is aborted, and its offsets with it."""
    try:
        writer = producer(transactional_id=name(f"writer-{number}"))
        writer.init_transactions(30)
        reader = consumer(name(f"group-{number}"), enable_auto_commit=False, isolation_level="read_committed")
        reader.assign([TopicPartition(source, number, 0)])
        for round in range(ROUNDS):
            (message,) = read(reader, 1)
            writer.begin_transaction()
            for partition in range(PARTITIONS):
                writer.produce(target, f"{number}-{round}".encode(), partition=partition)
            writer.send_offsets_to_transaction(
                [TopicPartition(source, number, message.offset() + 1)], reader.consumer_group_metadata(), 30)
            if round % 3 == 2:
                writer.abort_transaction(30)
            else:
                writer.commit_transaction(30)
        (offset,) = reader.committed([TopicPartition(source, number)], timeout=30)
        assert offset.offset == ROUNDS - 1, offset  # the last round was aborted
        reader.close()
    except BaseException as failure:  # noqa: B902: told by the main thread
        failures.append(failure)


workers = [threading.Thread(target=work, args=(number,)) for number in range(PRODUCERS)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert not failures, failures

wanted = [f"{number}-{round}" for number in range(PRODUCERS) for round in range(ROUNDS) if round % 3 != 2]
for partition in range(PARTITIONS):
    reader: Consumer = consumer(name(f"check-{partition}"), isolation_level="read_committed")
    reader.assign([TopicPartition(target, partition, 0)])
    values = [message.value().decode() for message in read(reader, len(wanted))]
    assert sorted(values) == sorted(wanted), values
    for number in range(PRODUCERS):  # in the order of its transactions
        mine = [value for value in values if value.startswith(f"{number}-")]
        assert mine == sorted(mine, key=lambda value: int(value.split("-")[1])), mine
    assert reader.poll(0.5) is None
    reader.close()

old = producer(transactional_id=name("fenced"))
old.init_transactions(30)
old.begin_transaction()
old.produce(target, b"old", partition=0)
old.flush(30)
young = producer(transactional_id=name("fenced"))
young.init_transactions(30)
try:
    old.commit_transaction(30)
    raise AssertionError("the predecessor committed")
except KafkaException as refused:
    assert refused.args[0].fatal() or refused.args[0].txn_requires_abort(), refused
young.begin_transaction()
young.produce(target, b"young", partition=0)
young.commit_transaction(30)
reader = consumer(name("fenced"), isolation_level="read_committed")
reader.assign([TopicPartition(target, 0, 0)])
assert read(reader, len(wanted) + 1)[-1].value() == b"young"
reader.close()
