// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=180 warnings=yes

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/**
 * The newer group protocol (KIP-848) with the Java client: members share, each record comes once, a restart of the broker
 * moves nothing, a group is described, listed and deleted, expressions, instances, and members of both protocols at once.
 */
public final class ConsumerProtocol implements Rig.Scenario {
    private static final int PARTITIONS = 6;
    private final List<String> seen = new ArrayList<>();
    private Rig rig;
    private Admin admin;
    private String topic;

    @Override
    public void run(Rig given) throws Exception {
        rig = given;
        admin = rig.admin();
        topic = rig.createTopic(admin, "protocol-a", PARTITIONS);
        sharing();
        restart();
        expressions();
        instances();
        migration();
        refusals();
    }

    private KafkaConsumer<String, String> member(String group, String... more) {
        List<String> settings = new ArrayList<>(List.of("group.protocol", "consumer"));
        settings.addAll(List.of(more));
        return rig.consumer(group, settings.toArray(String[]::new));
    }

    private KafkaConsumer<String, String> join(String group, String... more) {
        KafkaConsumer<String, String> member = member(group, more);
        member.subscribe(List.of(topic));
        return member;
    }

    @SafeVarargs
    private boolean share(KafkaConsumer<String, String>... members) {
        boolean even = true;
        for (KafkaConsumer<String, String> member : members) {
            member.poll(Duration.ofMillis(20)).forEach(record -> seen.add(record.value()));
            even &= member.assignment().size() == PARTITIONS / members.length;
        }
        return even;
    }

    private ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(rig.name(group))).all().get().get(rig.name(group));
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

    private void sharing() throws Exception {
        var first = join("sharing");
        rig.until("all", () -> share(first));
        Set<TopicPartition> before = new HashSet<>(first.assignment());
        var second = join("sharing");
        rig.until("three each", () -> share(first, second));
        Rig.check(before.containsAll(first.assignment()), "the first keeps what it has");
        var third = join("sharing");
        rig.until("two each", () -> share(first, second, third));

        var producer = rig.producer();
        for (int i = 0; i < 60; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, "v" + i));
        }
        producer.flush();
        rig.until("all records", () -> share(first, second, third) && seen.size() >= 60);
        Rig.same(60, new HashSet<>(seen).size(), "records");
        Rig.same(60, seen.size(), "each once");

        rig.until("stable", () -> share(first, second, third) && describe("sharing").groupState() == GroupState.STABLE);
        ConsumerGroupDescription group = describe("sharing");
        Rig.same(GroupType.CONSUMER, group.type(), "type");
        Rig.same(3, group.members().size(), "members");
        Rig.same("uniform", group.partitionAssignor(), "assignor");
        Rig.check(group.groupEpoch().isPresent(), "an epoch");
        for (var member : group.members()) {
            Rig.same(2, member.assignment().topicPartitions().size(), "assigned");
            Rig.same(member.assignment(), member.targetAssignment().get(), "target");
            Rig.check(member.upgraded().get(), "a member of the newer protocol");
        }
        var listed = admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get();
        Rig.check(listed.stream().anyMatch(one -> one.groupId().equals(rig.name("sharing"))
            && one.type().get() == GroupType.CONSUMER), "listed");

        second.close();
        third.close();
        rig.until("all again", () -> share(first));
        first.commitSync();
        for (OffsetAndMetadata committed : first.committed(first.assignment()).values()) {
            Rig.same(10L, committed.offset(), "committed");
        }
        first.close();
        rig.until("empty", () -> describe("sharing").groupState() == GroupState.EMPTY);
        admin.deleteConsumerGroups(List.of(rig.name("sharing"))).all().get();
        fails(GroupIdNotFoundException.class, () -> describe("sharing"));
    }

    private void restart() throws Exception {
        var first = join("restart");
        var second = join("restart");
        rig.until("three each", () -> share(first, second));
        rig.until("stable", () -> share(first, second) && describe("restart").groupState() == GroupState.STABLE);
        Set<TopicPartition> before = new HashSet<>(first.assignment());
        int epoch = describe("restart").groupEpoch().get();
        rig.control("restart");
        rig.until("stable again", () -> share(first, second) && describe("restart").groupState() == GroupState.STABLE);
        Rig.same(before, first.assignment(), "assignment after the restart");
        Rig.same(epoch, describe("restart").groupEpoch().get(), "epoch after the restart");
        first.commitSync();
        first.close();
        second.close();
    }

    private void expressions() throws Exception {
        var reader = member("expressions");
        reader.subscribe(new SubscriptionPattern(rig.name("protocol-") + "[ab]"));
        rig.until("the first topic", () -> share(reader));
        rig.createTopic(admin, "protocol-c", 1);
        String other = rig.createTopic(admin, "protocol-b", 2);
        rig.until("the second too", () -> !share(reader) && reader.assignment().size() == PARTITIONS + 2);
        Rig.check(reader.assignment().contains(new TopicPartition(other, 1)), "the new topic's partitions");
        reader.close();
        var wrong = member("wrong");
        wrong.subscribe(new SubscriptionPattern("(a"));
        fails(InvalidRegularExpression.class, () -> {
            rig.until("a refusal", () -> {
                wrong.poll(Duration.ofMillis(20));
                return false;
            });
            return null;
        });
    }

    private void instances() throws Exception {
        var stay = join("instances", "group.instance.id", "stay", "group.remote.assignor", "range");
        var go = join("instances", "group.instance.id", "go", "group.remote.assignor", "range");
        rig.until("three each", () -> share(stay, go));
        Set<TopicPartition> had = new HashSet<>(go.assignment());
        int epoch = describe("instances").groupEpoch().get();
        go.close();
        var again = join("instances", "group.instance.id", "go", "group.remote.assignor", "range");
        rig.until("three each again", () -> share(stay, again));
        Rig.same(had, again.assignment(), "what it had");
        Rig.same(epoch, describe("instances").groupEpoch().get(), "epoch");
        again.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        rig.until("the other has all", () -> share(stay));
        stay.close();
    }

    private void migration() throws Exception {
        String[] classic = {"group.protocol", "classic", "heartbeat.interval.ms", "300", "session.timeout.ms", "6000"};
        var old = rig.consumer("migration", classic);
        old.subscribe(List.of(topic));
        rig.until("the classic one has all", () -> share(old));
        var fresh = join("migration");
        rig.until("they share", () -> share(old, fresh));
        Rig.same(GroupType.CONSUMER, describe("migration").type(), "type");
        old.commitSync();
        fresh.close();
        rig.until("the classic one has all again", () -> share(old));
        Rig.same(GroupType.CLASSIC, describe("migration").type(), "type");
        old.close();
    }

    private void refusals() throws Exception {
        var wrong = join("refusals", "group.remote.assignor", "nobody");
        fails(UnsupportedAssignorException.class, () -> {
            rig.until("a refusal", () -> {
                wrong.poll(Duration.ofMillis(20));
                return false;
            });
            return null;
        });
    }
}
