# SPDX-License-Identifier: BSD-2-Clause
#
# The newer admin calls: describe topics and cluster, list offsets, incremental configuration, groups by state.

from confluent_kafka import ConsumerGroupState, IsolationLevel, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka import KafkaException

from rig import WAIT, admin, consumer, create_topic, name, producer, read, until

topic = create_topic(name("admin"), 2, {"retention.ms": "3600000"})
client = admin()

cluster = client.describe_cluster().result(WAIT)
assert len(cluster.nodes) == 1 and cluster.controller.id == cluster.nodes[0].id and cluster.cluster_id

described = client.describe_topics(TopicCollection([topic]))[topic].result(WAIT)
assert len(described.partitions) == 2 and not described.is_internal
assert all(p.leader.id == cluster.controller.id and len(p.isr) == 1 for p in described.partitions)

client.create_partitions([NewPartitions(topic, 3)])[topic].result(WAIT)
until("three", lambda: len(client.list_topics(topic, timeout=WAIT).topics[topic].partitions) == 3)

try:
    client.create_topics([NewTopic(topic, 1, 1)])[topic].result(WAIT)
    raise AssertionError("created twice")
except KafkaException as error:
    assert error.args[0].name() == "TOPIC_ALREADY_EXISTS", error

# Configuration: one key at a time, lists by element.
resource = ConfigResource(ResourceType.TOPIC, topic)


def describe():
    return client.describe_configs([resource])[resource].result(WAIT)


def alter(*entries):
    changed = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=list(entries))
    client.incremental_alter_configs([changed])[changed].result(WAIT)


alter(
    ConfigEntry("max.message.bytes", "5000", incremental_operation=AlterConfigOpType.SET),
    ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
)
until("the change", lambda: describe()["max.message.bytes"].value == "5000")
config = describe()
assert config["retention.ms"].value == "3600000", "the others stay"
assert config["retention.ms"].source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
assert set(config["cleanup.policy"].value.split(",")) == {"compact", "delete"}
alter(
    ConfigEntry("max.message.bytes", None, incremental_operation=AlterConfigOpType.DELETE),
    ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SUBTRACT),
)
until("the default", lambda: describe()["max.message.bytes"].value == "1048588")
assert describe()["cleanup.policy"].value == "delete"
try:
    alter(ConfigEntry("no.such.key", "1", incremental_operation=AlterConfigOpType.SET))
    raise AssertionError("altered an unknown key")
except KafkaException as error:
    assert error.args[0].name() == "INVALID_CONFIG", error

# A group's own configuration: before it exists, and only within the broker's bounds.
configured = name("configured")
resource = ConfigResource(ResourceType.GROUP, configured)


def alter_group(value, operation=AlterConfigOpType.SET):
    entry = ConfigEntry("consumer.session.timeout.ms", value, incremental_operation=operation)
    changed = ConfigResource(ResourceType.GROUP, configured, incremental_configs=[entry])
    client.incremental_alter_configs([changed])[changed].result(WAIT)


assert describe()["consumer.session.timeout.ms"].value == "45000"
alter_group("50000")
until("the group's value", lambda: describe()["consumer.session.timeout.ms"].value == "50000")
try:
    alter_group("60001")
    raise AssertionError("altered beyond group.consumer.max.session.timeout.ms")
except KafkaException as error:
    assert error.args[0].name() == "INVALID_CONFIG", error
    assert "consumer.session.timeout.ms must be" in error.args[0].str(), error
alter_group(None, AlterConfigOpType.DELETE)
until("the broker's value", lambda: describe()["consumer.session.timeout.ms"].value == "45000")

# Offsets by kind.
writer = producer()
for i in range(10):
    writer.produce(topic, str(i).encode(), partition=0, timestamp=1700000000000 + 1000 * ((i + 5) % 10))
assert writer.flush(WAIT) == 0


def offset(spec):
    place = TopicPartition(topic, 0)
    answers = client.list_offsets({place: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
    return answers[place].result(WAIT).offset


assert offset(OffsetSpec.earliest()) == 0
assert offset(OffsetSpec.latest()) == 10
assert offset(OffsetSpec.max_timestamp()) == 4
assert offset(OffsetSpec.for_timestamp(1700000000000)) == 0
assert offset(OffsetSpec.for_timestamp(1700000009000)) == 4

# Groups.
group = name("group")
reader = consumer(group, enable_auto_commit=False)
reader.subscribe([topic])
read(reader, 10)
reader.commit(asynchronous=False)


def listed(state):
    result = client.list_consumer_groups(states={state}).result(WAIT)
    return group in [entry.group_id for entry in result.valid]


assert listed(ConsumerGroupState.STABLE) and not listed(ConsumerGroupState.EMPTY)
description = client.describe_consumer_groups([group])[group].result(WAIT)
assert description.state == ConsumerGroupState.STABLE and len(description.members) == 1
assert len(description.members[0].assignment.topic_partitions) == 3
try:
    client.delete_consumer_groups([group])[group].result(WAIT)
    raise AssertionError("deleted a live group")
except KafkaException as error:
    assert error.args[0].name() == "NON_EMPTY_GROUP", error
reader.close()
assert listed(ConsumerGroupState.EMPTY)
client.delete_consumer_groups([group])[group].result(WAIT)
assert not listed(ConsumerGroupState.EMPTY)

low = client.delete_records([TopicPartition(topic, 0, 6)])
assert list(low.values())[0].result(WAIT).low_watermark == 6
assert offset(OffsetSpec.earliest()) == 6

client.delete_topics([topic])[topic].result(WAIT)
until("no topic", lambda: topic not in client.list_topics(timeout=WAIT).topics)
