// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=240 warnings=yes

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InconsistentGroupProtocolException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/**
 * Share groups (KIP-932) with the Java client, the group's half: two members share one partition, the group is described,
 * listed, moved, made to forget and deleted, by the Admin client and by kafka-share-groups; other kinds of groups are kept
 * apart; a restart of the broker loses neither members nor what was acknowledged.
 */
public final class ShareGroups implements Rig.Scenario {
    private static final String TOOL = "org.apache.kafka.tools.consumer.group.ShareGroupCommand";
    private final List<String> seen = new ArrayList<>();
    private Rig rig;
    private Admin admin;
    private String topic;
    private String group;
    private KafkaProducer<String, String> producer;
    private int sent;

    @Override
    public void run(Rig given) throws Exception {
        rig = given;
        admin = rig.admin();
        topic = rig.createTopic(admin, "shared", 1);
        group = rig.name("share");
        producer = rig.producer();
        configure();
        sharing();
        tool();
        records();
        kinds();
        spread();
    }

    private static void fails(Class<? extends Exception> expected, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (Exception failure) {
            Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
            Rig.check(expected.isInstance(cause), "expected " + expected.getSimpleName() + ", got " + cause);
            return;
        }
        throw new AssertionError("expected " + expected.getSimpleName());
    }

    private Void set(String key, String value) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        var change = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        return admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private void configure() throws Exception {
        fails(InvalidConfigurationException.class, () -> set("share.auto.offset.reset", "soon"));
        fails(InvalidConfigurationException.class, () -> set("share.delivery.count.limit", "26"));
        fails(InvalidConfigurationException.class, () -> set("share.isolation.level", "read"));
        set("share.auto.offset.reset", "earliest");
        var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        rig.until("the configuration", () -> "earliest".equals(
            admin.describeConfigs(List.of(resource)).all().get().get(resource).get("share.auto.offset.reset").value()));
    }

    private void send(int count) {
        for (int i = 0; i < count; i++) {
            producer.send(new ProducerRecord<>(topic, 0, null, "v" + sent++));
        }
        producer.flush();
    }

    private KafkaShareConsumer<String, String> join(String id) {
        var member = rig.shareConsumer(id);
        member.subscribe(List.of(topic));
        return member;
    }

    private int poll(KafkaShareConsumer<String, String> member) {
        int before = seen.size();
        member.poll(Duration.ofMillis(50)).forEach(record -> seen.add(record.value()));
        return seen.size() - before;
    }

    private ShareGroupDescription describe(String id) throws Exception {
        return admin.describeShareGroups(List.of(id)).all().get().get(id);
    }

    private boolean isListed(GroupState state) throws Exception {
        return admin.listGroups(ListGroupsOptions.forShareGroups().inGroupStates(Set.of(state))).all().get().stream()
            .anyMatch(listing -> listing.groupId().equals(group) && listing.type().equals(java.util.Optional.of(GroupType.SHARE)));
    }

    private SharePartitionOffsetInfo offset() throws Exception {
        var spec = Map.of(group, new ListShareGroupOffsetsSpec());
        var offsets = admin.listShareGroupOffsets(spec).all().get().get(group);
        return offsets.get(new TopicPartition(topic, 0));
    }

    /** What is done with after the start counts, too: the lag tells, not the start. */
    @SafeVarargs
    private final void acknowledge(KafkaShareConsumer<String, String>... members) throws Exception {
        try {
            rig.until("all acknowledged", () -> {
                for (var member : members) {
                    poll(member);
                }
                return offset() != null && offset().lag().filter(lag -> lag == 0).isPresent();
            });
        } catch (AssertionError failure) {
            throw new AssertionError(failure.getMessage() + ": " + offset() + " of " + sent, failure);
        }
    }

    private void sharing() throws Exception {
        send(20);
        var first = join("share");
        var second = join("share");
        int[] counts = new int[2];
        rig.until("both to have some", () -> {
            send(5);
            counts[0] += poll(first);
            send(5);
            counts[1] += poll(second);
            return counts[0] > 0 && counts[1] > 0;
        });
        rig.until("all to come", () -> {
            poll(first);
            poll(second);
            return seen.size() >= sent;
        });
        Rig.same(sent, new HashSet<>(seen).size(), "each record once");
        rig.until("a stable group", () -> {
            poll(first);
            poll(second);
            var described = describe(group);
            return described.groupState() == GroupState.STABLE && described.members().size() == 2
                && described.members().stream().allMatch(
                    member -> member.assignment().topicPartitions().equals(Set.of(new TopicPartition(topic, 0))));
        });
        Rig.check(isListed(GroupState.STABLE) && !isListed(GroupState.EMPTY), "listed as stable");
        fails(GroupNotEmptyException.class, () -> admin.deleteShareGroups(List.of(group)).all().get());
        fails(GroupNotEmptyException.class,
            () -> admin.alterShareGroupOffsets(group, Map.of(new TopicPartition(topic, 0), 0L)).all().get());
        fails(GroupNotEmptyException.class, () -> admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get());
        acknowledge(first, second);
        restart(first, second);
        acknowledge(first, second);
        first.close();
        second.close();
        rig.until("an empty group", () -> describe(group).groupState() == GroupState.EMPTY && isListed(GroupState.EMPTY));
    }

    private void restart(KafkaShareConsumer<String, String> first, KafkaShareConsumer<String, String> second) throws Exception {
        Set<String> members = new HashSet<>();
        describe(group).members().forEach(member -> members.add(member.consumerId()));
        rig.control("restart");
        send(20);
        rig.until("what came after the restart", () -> {
            poll(first);
            poll(second);
            return new HashSet<>(seen).size() == sent;
        });
        Set<String> after = new HashSet<>();
        describe(group).members().forEach(member -> after.add(member.consumerId()));
        Rig.same(members, after, "the members");
    }

    private void tool() throws Exception {
        Rig.check(Tool.run(rig, TOOL, "--list").lines().anyMatch(line -> line.strip().equals(group)), "list");
        Rig.check(Tool.run(rig, TOOL, "--list", "--state").lines().anyMatch(line -> line.matches(group + "\\s+Empty\\s*")), "states");
        Rig.check(Tool.run(rig, TOOL, "--describe", "--group", group, "--state").contains("Empty"), "describe the state");
        Rig.check(Tool.run(rig, TOOL, "--describe", "--group", group).lines().anyMatch(
            line -> line.matches(group + "\\s+" + topic + "\\s+0\\s+\\d+\\s+0\\s*")), "describe the offsets");
        String reset = Tool.run(rig, TOOL, "--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute");
        Rig.check(reset.lines().anyMatch(line -> line.matches(group + "\\s+" + topic + "\\s+0\\s+0\\s*")), "reset: " + reset);
        Rig.same(0L, offset().startOffset(), "the start after the reset");
        Rig.same((long) sent, offset().lag().get(), "the lag after the reset");
        seen.clear();
        var again = join("share");
        rig.until("all once more", () -> {
            poll(again);
            return new HashSet<>(seen).size() == sent;
        });
        acknowledge(again);
        again.close();
        fails(UnknownTopicOrPartitionException.class, () -> admin.deleteShareGroupOffsets(group, Set.of("nothing")).topicResult("nothing").get());
        Rig.check(Tool.run(rig, TOOL, "--delete-offsets", "--group", group, "--topic", topic).lines().anyMatch(
            line -> line.matches(topic + "\\s+Successful\\s*")), "delete the offsets");
        Rig.check(offset() == null, "no offsets");
        Rig.check(Tool.run(rig, TOOL, "--delete", "--group", group).contains("was successful"), "delete");
        fails(GroupIdNotFoundException.class, () -> describe(group));
        fails(GroupIdNotFoundException.class, () -> admin.deleteShareGroups(List.of(group)).all().get());
    }

    private static void until(Rig rig, KafkaConsumer<String, String> member) throws Exception {
        rig.until("an assignment or a refusal", () -> {
            member.poll(Duration.ofMillis(20));
            return !member.assignment().isEmpty();
        });
    }

    /** What the group left in __consumer_offsets is what Kafka's own tool reads. */
    private void records() throws Exception {
        Set<String> files = new TreeSet<>();
        try (var entries = Files.walk(rig.data())) {
            entries.map(Path::toString).filter(name -> name.matches(".*__consumer_offsets-\\d+/\\d+\\.log")).forEach(files::add);
        }
        String dump = Tool.plain("", Tool.DUMP_LOG, "--files", String.join(",", files), "--offsets-decoder");
        String id = "\"groupId\":\"" + group + "\"";
        for (int type : new int[] {10, 11, 12, 13, 14, 15}) {
            Rig.check(dump.lines().anyMatch(line -> line.contains("\"type\":\"" + type + "\"") && line.contains(id)), "records of type " + type);
        }
        Rig.check(dump.lines().anyMatch(line -> line.contains(id) && line.matches(
            ".*\"initializedTopics\":\\[\\{\"topicId\":\"[^\"]+\",\"topicName\":\"" + topic + "\",\"partitions\":\\[0\\]\\}\\].*")), "the partitions with states");
    }

    /** A group stays of its kind. */
    private void kinds() throws Exception {
        var share = join("share");
        rig.until("a share group", () -> {
            poll(share);
            return isListed(GroupState.STABLE);
        });
        fails(GroupIdNotFoundException.class, () -> {
            var member = rig.consumer("share", "group.protocol", "consumer");
            member.subscribe(List.of(topic));
            until(rig, member);
            return null;
        });
        fails(InconsistentGroupProtocolException.class, () -> {
            var member = rig.consumer("share");
            member.subscribe(List.of(topic));
            until(rig, member);
            return null;
        });
        fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(group)).all().get());
        fails(GroupIdNotFoundException.class, () -> admin.describeClassicGroups(List.of(group)).all().get());
        fails(GroupIdNotFoundException.class,
            () -> admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0))).all().get());
        Rig.check(admin.listConsumerGroupOffsets(group).all().get().get(group).isEmpty(), "no committed offsets");
        share.close();
        String other = rig.name("classic");
        admin.alterConsumerGroupOffsets(other, Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0))).all().get();
        fails(GroupIdNotFoundException.class, () -> {
            var member = join("classic");
            rig.until("a refusal", () -> {
                member.poll(Duration.ofMillis(20));
                return false;
            });
            return null;
        });
        fails(GroupIdNotFoundException.class, () -> admin.describeShareGroups(List.of(other)).all().get());
        fails(GroupIdNotFoundException.class,
            () -> admin.alterShareGroupOffsets(other, Map.of(new TopicPartition(topic, 0), 0L)).all().get());
    }

    /** More partitions than members: each is somebody's, everybody has some. */
    private void spread() throws Exception {
        String wide = rig.createTopic(admin, "wide", 6);
        List<KafkaShareConsumer<String, String>> members = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            var member = rig.shareConsumer("spread");
            member.subscribe(List.of(wide));
            members.add(member);
        }
        String id = rig.name("spread");
        rig.until("a fair spread", () -> {
            members.forEach(member -> member.poll(Duration.ofMillis(20)));
            if (members.size() < 4 || describe(id).members().size() < 4) {
                return false;
            }
            Set<TopicPartition> all = new HashSet<>();
            boolean some = true;
            for (var member : describe(id).members()) {
                some &= !member.assignment().topicPartitions().isEmpty();
                all.addAll(member.assignment().topicPartitions());
            }
            return some && all.size() == 6;
        });
        members.forEach(KafkaShareConsumer::close);
    }
}
