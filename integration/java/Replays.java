// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Under transactions v2 nothing that belongs to an earlier transaction changes a later one, however late or often it comes:
 * EndTxn, Produce, TxnOffsetCommit, AddPartitionsToTxn. A proxy holds requests back, and repeats them.
 */
public final class Replays implements Rig.Scenario {
    private static final int PRODUCE = 0;
    private static final int END_TXN = 26;
    private static final String FENCED = "47"; // INVALID_PRODUCER_EPOCH
    private static final String FENCED_PRODUCER = "90"; // PRODUCER_FENCED

    private Rig rig;
    private Admin admin;
    private KafkaProducer<String, String> producer;
    private String topic;
    private String id;
    private final List<String> wanted = new ArrayList<>();

    private void send(String value) throws Exception {
        producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
    }

    private void end(boolean commit, String... values) {
        if (commit) {
            producer.commitTransaction();
            wanted.addAll(List.of(values));
        } else {
            producer.abortTransaction();
        }
    }

    private List<String> committed() {
        var consumer = rig.consumer("reader", "isolation.level", "read_committed", "enable.auto.commit", "false");
        var partition = new TopicPartition(topic, 0);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        var records = rig.read(consumer, wanted.size());
        long end = consumer.endOffsets(List.of(partition)).get(partition); // the last stable offset
        for (long deadline = System.nanoTime() + Rig.WAIT.toNanos(); consumer.position(partition) < end;) {
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            Rig.check(System.nanoTime() < deadline, "the end is " + end + ", the position " + consumer.position(partition));
        }
        var all = rig.consumer("all", "enable.auto.commit", "false");
        Rig.same(all.endOffsets(List.of(partition)).get(partition), end, "nothing hangs: last stable offset");
        all.close();
        consumer.close();
        return records.stream().map(ConsumerRecord::value).toList();
    }

    private TransactionState state() throws Exception {
        return admin.describeTransactions(List.of(id)).all().get().get(id).state();
    }

    private void begin(String name) throws Exception {
        topic = rig.createTopic(admin, name, 1);
        id = rig.name(name);
        wanted.clear();
        producer = rig.producer("bootstrap.servers", rig.ask("proxy address"), "transactional.id", id, "linger.ms", "0",
            "reconnect.backoff.max.ms", "200", "retry.backoff.ms", "20");
        producer.initTransactions();
    }

    private void finish() {
        Rig.same(wanted, committed(), topic);
        producer.close();
    }

    /** The first EndTxn of a transaction arrives when the next one is open. */
    private void delayedEnd(boolean first, boolean second) throws Exception {
        begin("delayed-end-" + first + "-" + second);
        producer.beginTransaction();
        send("one");
        rig.control("proxy hold " + END_TXN);
        end(first, "one");
        producer.beginTransaction();
        send("two");
        Rig.same("1", rig.ask("proxy release"), "answered");
        Rig.same(TransactionState.ONGOING, state(), "state after the late EndTxn");
        send("three");
        end(second, "two", "three");
        finish();
    }

    /** The first Produce of a transaction arrives in the next one, and when none is open. */
    private void delayedProduce(boolean open) throws Exception {
        begin("delayed-produce-" + open);
        producer.beginTransaction();
        rig.control("proxy hold " + PRODUCE);
        send("one");
        end(true, "one");
        if (open) {
            producer.beginTransaction();
            send("two");
        }
        Rig.same("1", rig.ask("proxy release"), "answered");
        if (open) {
            end(true, "two");
        }
        finish();
    }

    /** Everything of a transaction arrives once more: in the next one, and when none is open. */
    private void repeated(boolean first, boolean open, boolean second) throws Exception {
        begin("repeated-" + first + "-" + open + "-" + second);
        var input = new TopicPartition(rig.createTopic(admin, "input-" + topic.length() + first + open + second, 1), 0);
        var member = rig.consumer("group-" + first + open + second, "enable.auto.commit", "false");
        rig.control("proxy record");
        producer.beginTransaction();
        send("one");
        producer.sendOffsetsToTransaction(Map.of(input, new OffsetAndMetadata(1)), member.groupMetadata());
        end(first, "one");
        int recorded = 3; // Produce, TxnOffsetCommit, EndTxn: under transactions v2 the first two add what they touch
        if (open) {
            producer.beginTransaction();
            send("two");
        }
        Rig.check(Integer.parseInt(rig.ask("proxy replay")) >= recorded, "the requests of a transaction were repeated");
        String code = rig.ask("proxy add " + topic);
        Rig.check(code.equals(FENCED) || code.equals(FENCED_PRODUCER), "AddPartitionsToTxn of an earlier transaction: " + code);
        rig.control("proxy forget");
        if (open) {
            Rig.same(TransactionState.ONGOING, state(), "state after the repetition");
            producer.sendOffsetsToTransaction(Map.of(input, new OffsetAndMetadata(2)), member.groupMetadata());
            end(second, "two");
        } else {
            Rig.same(first ? TransactionState.COMPLETE_COMMIT : TransactionState.COMPLETE_ABORT, state(), "state");
        }
        long offset = open && second ? 2 : first ? 1 : -1;
        var found = member.committed(Set.of(input)).get(input);
        Rig.same(offset, found == null ? -1L : found.offset(), "the group's offset");
        finish();
    }

    @Override
    public void run(Rig from) throws Exception {
        rig = from;
        admin = rig.admin();
        for (boolean first : new boolean[] {true, false}) {
            for (boolean second : new boolean[] {true, false}) {
                delayedEnd(first, second);
                repeated(first, true, second);
            }
            repeated(first, false, false);
        }
        delayedProduce(true);
        delayedProduce(false);
    }
}
