// SPDX-License-Identifier: BSD-2-Clause

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;

/** The Java admin client: topics by name and id, partitions, configuration, records, groups and offsets, log dirs. */
public final class AdminCalls implements Rig.Scenario {
    private Rig rig;
    private Admin admin;
    private String topic;

    @Override
    public void run(Rig given) throws Exception {
        rig = given;
        admin = rig.admin();
        topic = rig.name("admin");
        topics();
        configs();
        records();
        groups();
        TopicDescription described = describe();
        admin.deleteTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(described.topicId()))).all().get();
        rig.until("no topic", () -> !admin.listTopics().names().get().contains(topic));
    }

    private TopicDescription describe() throws Exception {
        return admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get();
    }

    private void topics() throws Exception {
        var created = admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "3600000"))));
        Uuid id = created.topicId(topic).get();
        Rig.same(2, created.numPartitions(topic).get(), "partitions");
        Rig.same("3600000", created.config(topic).get().get("retention.ms").value(), "its configuration");
        rig.until("the topic", () -> admin.listTopics().names().get().contains(topic));
        Rig.same(id, describe().topicId(), "topic id");
        Rig.same(topic, admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(id)))
            .topicIdValues().get(id).get().name(), "by id");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
        rig.until("three partitions", () -> describe().partitions().size() == 3);

        var cluster = admin.describeCluster();
        Rig.same(1, cluster.nodes().get().size(), "nodes");
        Rig.same(cluster.nodes().get().iterator().next().id(), cluster.controller().get().id(), "controller");
        Rig.check(!cluster.clusterId().get().isEmpty(), "cluster id");
    }

    private Config config() throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    private void alter(String key, String value, AlterConfigOp.OpType type) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(new ConfigEntry(key, value), type));
        admin.incrementalAlterConfigs(Map.of(resource, ops)).all().get();
    }

    private void configs() throws Exception {
        alter("max.message.bytes", "5000", AlterConfigOp.OpType.SET);
        rig.until("the change", () -> config().get("max.message.bytes").value().equals("5000"));
        ConfigEntry retention = config().get("retention.ms");
        Rig.same("3600000", retention.value(), "the others stay");
        Rig.same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source(), "source");
        Rig.same(ConfigEntry.ConfigType.LONG, retention.type(), "type");
        alter("max.message.bytes", "", AlterConfigOp.OpType.DELETE);
        rig.until("the default", () -> config().get("max.message.bytes").value().equals("1048588"));
        Rig.check(config().get("max.message.bytes").isDefault(), "the default is said to be one");
    }

    private void records() throws Exception {
        var producer = rig.producer();
        for (int i = 0; i < 10; i++) {
            producer.send(new ProducerRecord<>(topic, 0, 1700000000000L + (i + 5) % 10, null, "x"));
        }
        producer.flush();
        TopicPartition place = new TopicPartition(topic, 0);
        Rig.same(4L, offset(place, OffsetSpec.maxTimestamp()), "max timestamp");
        Rig.same(10L, offset(place, OffsetSpec.latest()), "latest");
        Rig.same(6L, admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(6))).lowWatermarks().get(place).get()
            .lowWatermark(), "low watermark");
        Rig.same(6L, offset(place, OffsetSpec.earliest()), "earliest");
        int broker = admin.describeCluster().controller().get().id();
        var dirs = admin.describeLogDirs(List.of(broker)).allDescriptions().get().get(broker);
        long size = dirs.values().stream().mapToLong(dir -> dir.replicaInfos().get(place).size()).sum();
        Rig.check(size > 0, "size on disk");
    }

    private long offset(TopicPartition place, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
    }

    private void groups() throws Exception {
        String group = rig.name("group");
        TopicPartition place = new TopicPartition(topic, 0);
        var consumer = rig.consumer("group", "enable.auto.commit", "false");
        consumer.subscribe(List.of(topic));
        rig.read(consumer, 4);
        consumer.commitSync(Map.of(place, new OffsetAndMetadata(10, "a note")));
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        Rig.same(GroupState.STABLE, described.groupState(), "state");
        Rig.same(1, described.members().size(), "members");
        Rig.same(3, described.members().iterator().next().assignment().topicPartitions().size(), "its assignment");
        consumer.close();
        Rig.same(GroupState.EMPTY, admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState(), "state");
        Rig.check(admin.listGroups().all().get().stream().anyMatch(listing -> listing.groupId().equals(group)), "listed");

        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        Rig.same(new OffsetAndMetadata(10, "a note").metadata(), committed.get(place).metadata(), "metadata");
        admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(7))).all().get();
        Rig.same(7L, admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place).offset(), "altered");
        admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get();
        Rig.check(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place) == null, "forgotten");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Rig.check(admin.listGroups().all().get().stream().noneMatch(listing -> listing.groupId().equals(group)), "deleted");
    }
}
