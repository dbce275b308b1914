// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes threads=yes

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.IntStream;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidRecordStateException;

/**
 * Records of share groups (KIP-932) with the Java client: each goes to one member, what is released or not heard of in time
 * comes again and says how often, what is rejected does not, and what was acknowledged stays so over a restart and a kill.
 */
public final class ShareRecords implements Rig.Scenario {
    private Rig rig;
    private Admin admin;

    @Override
    public void run(Rig given) throws Exception {
        rig = given;
        admin = rig.admin();
        sharing();
        releasing();
        locking();
        committed();
        restarting("restart");
        restarting("kill");
    }

    private void configure(String group, String... settings) throws Exception {
        List<AlterConfigOp> operations = new ArrayList<>();
        for (int i = 0; i < settings.length; i += 2) {
            operations.add(new AlterConfigOp(new ConfigEntry(settings[i], settings[i + 1]), AlterConfigOp.OpType.SET));
        }
        Map<ConfigResource, Collection<AlterConfigOp>> changes =
            Map.of(new ConfigResource(ConfigResource.Type.GROUP, rig.name(group)), operations);
        admin.incrementalAlterConfigs(changes).all().get();
    }

    private KafkaShareConsumer<String, String> join(String group, String topic, String... more) {
        Map<String, Object> settings = rig.settings(more);
        settings.put("group.id", rig.name(group));
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        KafkaShareConsumer<String, String> member = rig.keep(new KafkaShareConsumer<>(settings));
        member.subscribe(List.of(topic));
        return member;
    }

    private KafkaShareConsumer<String, String> joinExplicit(String group, String topic) {
        return join(group, topic, "share.acknowledgement.mode", "explicit");
    }

    private void send(String topic, int from, int to, int partitions) {
        KafkaProducer<String, String> producer = rig.producer();
        for (int i = from; i < to; i++) {
            producer.send(new ProducerRecord<>(topic, i % partitions, null, "v" + i));
        }
        producer.flush();
        producer.close();
    }

    private static List<ConsumerRecord<String, String>> poll(KafkaShareConsumer<String, String> member) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        member.poll(Duration.ofMillis(100)).forEach(records::add);
        return records;
    }

    private static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    private static List<String> named(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "v" + i).toList();
    }

    /** One poll that brings something. */
    private List<ConsumerRecord<String, String>> take(KafkaShareConsumer<String, String> member) throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        rig.until("records", () -> {
            records.addAll(poll(member));
            return !records.isEmpty();
        });
        return records;
    }

    private static void settle(KafkaShareConsumer<String, String> member) {
        for (Map.Entry<TopicIdPartition, Optional<KafkaException>> result : member.commitSync().entrySet()) {
            Rig.check(result.getValue().isEmpty(), result.getKey() + ": " + result.getValue());
        }
    }

    private static void counted(int count, List<ConsumerRecord<String, String>> records) {
        for (ConsumerRecord<String, String> record : records) {
            Rig.same(count, (int) record.deliveryCount().get(), "deliveries of " + record.value());
        }
    }

    /** Two members, acknowledging with the next poll: every record comes, and to one of them. */
    private void sharing() throws Exception {
        String topic = rig.createTopic(admin, "share-a", 2);
        configure("sharing", "share.auto.offset.reset", "earliest");
        send(topic, 0, 40, 2);
        var first = join("sharing", topic);
        var second = join("sharing", topic);
        List<String> seen = new ArrayList<>();
        int[] sent = {40};
        rig.until("all records", () -> {
            seen.addAll(values(poll(first)));
            seen.addAll(values(poll(second)));
            if (seen.size() >= 40 && sent[0] == 40) {
                send(topic, 40, 100, 2);
                sent[0] = 100;
            }
            return seen.size() >= 100;
        });
        poll(first);
        poll(second);
        Rig.same(100, seen.size(), "each once");
        Rig.same(100, new HashSet<>(seen).size(), "records");
        first.close();
        second.close();
        var third = join("sharing", topic);
        Rig.check(poll(third).isEmpty() && poll(third).isEmpty(), "nothing comes again");
        third.close();
    }

    /** What is released comes again and is counted, what is rejected or accepted does not. */
    private void releasing() throws Exception {
        String topic = rig.createTopic(admin, "share-b", 1);
        configure("releasing", "share.auto.offset.reset", "earliest");
        send(topic, 0, 10, 1);
        var member = joinExplicit("releasing", topic);
        var records = take(member);
        Rig.same(named(0, 10), values(records), "records");
        counted(1, records);
        for (ConsumerRecord<String, String> record : records) {
            long offset = record.offset();
            member.acknowledge(record,
                offset < 4 ? AcknowledgeType.ACCEPT : offset < 7 ? AcknowledgeType.RELEASE : AcknowledgeType.REJECT);
        }
        settle(member);
        records = take(member);
        Rig.same(named(4, 7), values(records), "released");
        counted(2, records);
        records.forEach(record -> member.acknowledge(record, AcknowledgeType.ACCEPT));
        settle(member);
        Rig.check(poll(member).isEmpty(), "nothing is left");

        configure("releasing", "share.delivery.count.limit", "2");
        send(topic, 10, 11, 1);
        for (int count = 1; count <= 2; count++) {
            records = take(member);
            Rig.same(named(10, 11), values(records), "the one that fails");
            counted(count, records);
            records.forEach(record -> member.acknowledge(record, AcknowledgeType.RELEASE));
            settle(member);
        }
        Rig.check(poll(member).isEmpty() && poll(member).isEmpty(), "twice is enough");
        member.close();
    }

    /** A member that says nothing loses its records to another one; one that goes, at once. */
    private void locking() throws Exception {
        String topic = rig.createTopic(admin, "share-c", 1);
        configure("locking", "share.auto.offset.reset", "earliest", "share.record.lock.duration.ms", "2000");
        send(topic, 0, 5, 1);
        var slow = joinExplicit("locking", topic);
        var mine = take(slow);
        Rig.same(named(0, 5), values(mine), "records");
        var quick = joinExplicit("locking", topic);
        var taken = take(quick);
        Rig.same(named(0, 5), values(taken), "what was locked");
        counted(2, taken);
        slow.acknowledge(mine.get(0), AcknowledgeType.ACCEPT);
        mine.subList(1, 5).forEach(record -> slow.acknowledge(record, AcknowledgeType.RELEASE));
        for (Optional<KafkaException> result : slow.commitSync().values()) {
            Rig.check(result.isPresent() && result.get() instanceof InvalidRecordStateException, "too late: " + result);
        }
        taken.subList(0, 3).forEach(record -> quick.acknowledge(record, AcknowledgeType.ACCEPT));
        quick.commitSync();
        quick.close();
        var last = take(slow);
        Rig.same(named(3, 5), values(last), "what the other left");
        counted(3, last);
        last.forEach(record -> slow.acknowledge(record, AcknowledgeType.ACCEPT));
        settle(slow);
        slow.close();
    }

    /** Records of aborted transactions never come to a group that wants committed ones. */
    private void committed() throws Exception {
        String topic = rig.createTopic(admin, "share-d", 1);
        configure("committed", "share.auto.offset.reset", "earliest", "share.isolation.level", "read_committed");
        var producer = rig.producer("transactional.id", rig.name("share-tx"));
        producer.initTransactions();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "t" + i + "a"));
            producer.send(new ProducerRecord<>(topic, "t" + i + "b"));
            if (i % 2 == 0) {
                producer.commitTransaction();
                expected.addAll(List.of("t" + i + "a", "t" + i + "b"));
            } else {
                producer.flush();
                producer.abortTransaction();
            }
        }
        producer.close();
        var member = join("committed", topic);
        List<String> seen = new ArrayList<>();
        rig.until("committed records", () -> seen.addAll(values(poll(member))) && seen.size() >= expected.size());
        seen.addAll(values(poll(member)));
        Rig.same(expected, seen, "committed records");
        member.close();
    }

    /** What was acknowledged does not come again, all else does. */
    private void restarting(String how) throws Exception {
        String topic = rig.createTopic(admin, "share-" + how, 1);
        configure(how, "share.auto.offset.reset", "earliest");
        send(topic, 0, 20, 1);
        var before = joinExplicit(how, topic);
        var records = take(before);
        Rig.same(named(0, 20), values(records), "records");
        TreeSet<String> left = new TreeSet<>();
        for (ConsumerRecord<String, String> record : records) {
            if (record.offset() % 3 == 0) {
                before.acknowledge(record, AcknowledgeType.ACCEPT);
            } else {
                before.acknowledge(record, AcknowledgeType.RELEASE);
                left.add(record.value());
            }
        }
        settle(before);
        rig.control(how);
        if (how.equals("kill")) {
            rig.control("start");
        }
        before.close(Duration.ofSeconds(1));
        var after = joinExplicit(how, topic);
        TreeSet<String> seen = new TreeSet<>();
        rig.until("the rest", () -> {
            for (ConsumerRecord<String, String> record : poll(after)) {
                Rig.check(seen.add(record.value()), record.value() + " came twice");
                Rig.check(record.deliveryCount().get() >= 2, "deliveries are remembered");
                after.acknowledge(record, AcknowledgeType.ACCEPT);
            }
            after.commitSync();
            return seen.size() >= left.size();
        });
        Rig.same(left, seen, "what was not acknowledged");
        after.close();
    }
}
