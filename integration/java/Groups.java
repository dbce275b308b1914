// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90 threads=yes

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * A group of the Java client (default assignors, cooperative; fetch sessions over many partitions): members join and
 * leave, each record reaches the group, committed offsets carry on.
 */
public final class Groups implements Rig.Scenario {
    private static final int PARTITIONS = 12;
    private final Set<String> seen = new HashSet<>();
    private String topic;

    @Override
    public void run(Rig rig) throws Exception {
        topic = rig.createTopic(rig.admin(), "groups", PARTITIONS);
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            seen.clear();
            rounds(rig, assignor);
        }
    }

    private KafkaConsumer<String, String> join(Rig rig, String assignor) {
        KafkaConsumer<String, String> member = rig.consumer(assignor, "heartbeat.interval.ms", "300",
            "session.timeout.ms", "6000", "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor);
        member.subscribe(List.of(topic));
        return member;
    }

    private void rounds(Rig rig, String assignor) throws Exception {
        var producer = rig.producer();
        List<KafkaConsumer<String, String>> members = new ArrayList<>();
        int sent = 0;
        for (int size : new int[] {1, 2, 3}) {
            members.add(join(rig, assignor));
            rig.until(size + " with equal shares", () -> share(members));
            sent = send(producer, assignor, sent);
            int expected = sent;
            rig.until("all records", () -> share(members) && seen.size() >= expected);
        }
        members.remove(1).close();
        rig.until("two with equal shares", () -> share(members));
        sent = send(producer, assignor, sent);
        int expected = sent;
        rig.until("all records", () -> share(members) && count(assignor) >= expected);

        for (KafkaConsumer<String, String> member : members) {
            member.commitSync();
            member.close();
        }
        try (KafkaConsumer<String, String> reader = rig.consumer(assignor)) {
            Set<TopicPartition> all = new HashSet<>();
            for (int i = 0; i < PARTITIONS; i++) {
                all.add(new TopicPartition(topic, i));
            }
            var ends = reader.endOffsets(all);
            var committed = reader.committed(all);
            for (TopicPartition partition : all) {
                Rig.same(ends.get(partition), committed.get(partition).offset(), "committed of " + partition);
            }
        }
    }

    private long count(String assignor) {
        return seen.stream().filter(value -> value.startsWith(assignor)).count();
    }

    private int send(org.apache.kafka.clients.producer.KafkaProducer<String, String> producer, String assignor, int from) {
        for (int i = from; i < from + 10 * PARTITIONS; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, assignor + i));
        }
        producer.flush();
        return from + 10 * PARTITIONS;
    }

    /** Polls all; true when they share the partitions evenly. */
    private boolean share(List<KafkaConsumer<String, String>> members) {
        boolean even = true;
        for (KafkaConsumer<String, String> member : members) {
            member.poll(Duration.ofMillis(20)).forEach(record -> seen.add(record.value()));
            even &= member.assignment().size() == PARTITIONS / members.size();
        }
        return even;
    }
}
