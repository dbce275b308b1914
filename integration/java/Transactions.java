// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=180 warnings=yes

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** The Java client's transactions (the newer protocol, where each has its own epoch), and their administration. */
public final class Transactions implements Rig.Scenario {
    private static final int ROUNDS = 30;

    private static KafkaProducer<String, String> transactional(Rig rig, String id, String... more) {
        List<String> settings = new ArrayList<>(List.of(more));
        settings.addAll(List.of("transactional.id", rig.name(id), "reconnect.backoff.max.ms", "500"));
        var producer = rig.producer(settings.toArray(new String[0]));
        producer.initTransactions();
        return producer;
    }

    private static List<String> committed(Rig rig, String topic, int count) {
        var consumer = rig.consumer("reader-" + topic + count, "isolation.level", "read_committed", "enable.auto.commit", "false");
        var partition = new TopicPartition(topic, 0);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        var records = rig.read(consumer, count);
        consumer.poll(Duration.ofMillis(300)).forEach(records::add);
        consumer.close();
        return records.stream().map(ConsumerRecord::value).toList();
    }

    private static void transform(Rig rig, Admin admin) throws Exception {
        String input = rig.createTopic(admin, "input", 1);
        String output = rig.createTopic(admin, "output", 1);
        var seed = rig.producer();
        for (int i = 0; i < ROUNDS; i++) {
            seed.send(new ProducerRecord<>(input, 0, null, Integer.toString(i)));
        }
        seed.flush();
        var producer = transactional(rig, "transform");
        var consumer = rig.consumer("group", "isolation.level", "read_committed", "enable.auto.commit", "false");
        consumer.subscribe(List.of(input));
        List<String> wanted = new ArrayList<>();
        var partition = new TopicPartition(input, 0);
        for (var record : rig.read(consumer, ROUNDS)) {
            int i = Integer.parseInt(record.value());
            for (boolean commit : i % 3 == 1 ? new boolean[] {false, true} : new boolean[] {true}) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(output, 0, null, record.value()));
                producer.send(new ProducerRecord<>(output, 0, null, record.value() + "+"));
                if (i == ROUNDS / 2) {
                    producer.flush();
                    rig.control("restart");
                } else if (i == 2 * ROUNDS / 3) {
                    producer.flush();
                    rig.control("kill");
                    rig.control("start");
                }
                producer.sendOffsetsToTransaction(
                    Map.of(partition, new OffsetAndMetadata(record.offset() + 1)), consumer.groupMetadata());
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
            wanted.addAll(List.of(record.value(), record.value() + "+"));
            Rig.same(record.offset() + 1, consumer.committed(Set.of(partition)).get(partition).offset(), "offset");
        }
        Rig.same(wanted, committed(rig, output, wanted.size()), "output");
    }

    private static void fencing(Rig rig, Admin admin) throws Exception {
        String topic = rig.createTopic(admin, "fenced", 1);
        var old = transactional(rig, "fenced");
        old.beginTransaction();
        old.send(new ProducerRecord<>(topic, 0, null, "old")).get();
        var young = transactional(rig, "fenced");
        young.beginTransaction();
        young.send(new ProducerRecord<>(topic, 0, null, "young"));
        young.commitTransaction();
        try {
            old.commitTransaction();
            Rig.check(false, "the old producer was not fenced");
        } catch (KafkaException expected) {
            old.close(Duration.ZERO);
        }
        Rig.same(List.of("young"), committed(rig, topic, 1), "fenced");
    }

    private static void timeout(Rig rig, Admin admin) throws Exception {
        String topic = rig.createTopic(admin, "late", 1);
        var late = transactional(rig, "late", "transaction.timeout.ms", "1000");
        late.beginTransaction();
        late.send(new ProducerRecord<>(topic, 0, null, "late")).get();
        var plain = rig.producer();
        plain.send(new ProducerRecord<>(topic, 0, null, "plain")).get();
        Rig.same(List.of("plain"), committed(rig, topic, 1), "after the timeout");
        late.close(Duration.ZERO);
    }

    private static void administration(Rig rig, Admin admin) throws Exception {
        String topic = rig.createTopic(admin, "hanging", 1);
        var partition = new TopicPartition(topic, 0);
        var producer = transactional(rig, "hanging");
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(topic, 0, null, "hanging")).get();
        var described = admin.describeTransactions(List.of(rig.name("hanging"))).all().get().get(rig.name("hanging"));
        Rig.same(TransactionState.ONGOING, described.state(), "state");
        Rig.same(Set.of(partition), described.topicPartitions(), "partitions");
        Rig.check(admin.listTransactions().all().get().stream().anyMatch(listing ->
            listing.transactionalId().equals(rig.name("hanging")) && listing.state() == TransactionState.ONGOING), "listed");
        ProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get()
            .activeProducers().get(0);
        Rig.same(0L, state.currentTransactionStartOffset().getAsLong(), "start");
        admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(),
            state.coordinatorEpoch().orElse(0))).all().get();
        var plain = rig.producer();
        plain.send(new ProducerRecord<>(topic, 0, null, "plain")).get();
        Rig.same(List.of("plain"), committed(rig, topic, 1), "after the abort");
        producer.close(Duration.ZERO);
    }

    @Override
    public void run(Rig rig) throws Exception {
        Admin admin = rig.admin();
        transform(rig, admin);
        fencing(rig, admin);
        timeout(rig, admin);
        administration(rig, admin);
    }
}
