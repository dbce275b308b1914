// SPDX-License-Identifier: BSD-2-Clause

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Fetch sessions: with many partitions and little news, requests and answers are small; nothing is lost by that. */
public final class Sessions implements Rig.Scenario {
    private static final int PARTITIONS = 200;
    private static final int SMALL = 600; // bytes; a full fetch names 200 partitions with some 30 bytes each

    private static double total(KafkaConsumer<?, ?> consumer, String name) {
        return consumer.metrics().entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(name) && entry.getKey().group().equals("consumer-metrics"))
            .mapToDouble(entry -> (Double) entry.getValue().metricValue()).sum();
    }

    /** Bytes per request and per answer over the next ten requests. */
    private static double[] sizes(Rig rig, KafkaConsumer<?, ?> consumer) throws Exception {
        double requests = total(consumer, "request-total");
        double out = total(consumer, "outgoing-byte-total");
        double in = total(consumer, "incoming-byte-total");
        rig.until("ten requests", () -> {
            Rig.check(consumer.poll(Duration.ofMillis(50)).isEmpty(), "nothing was written");
            return total(consumer, "request-total") >= requests + 10;
        });
        double count = total(consumer, "request-total") - requests;
        return new double[] {(total(consumer, "outgoing-byte-total") - out) / count,
            (total(consumer, "incoming-byte-total") - in) / count};
    }

    private static void small(double[] sizes, String when) {
        Rig.check(sizes[0] < SMALL && sizes[1] < SMALL, "bytes per request and answer " + when + ": " + sizes[0] + ", " + sizes[1]);
    }

    @Override
    public void run(Rig rig) throws Exception {
        String topic = rig.createTopic(rig.admin(), "sessions", PARTITIONS);
        var producer = rig.producer();
        for (int i = 0; i < PARTITIONS; i++) {
            producer.send(new ProducerRecord<>(topic, i, null, "first"));
        }
        producer.flush();
        List<TopicPartition> places = IntStream.range(0, PARTITIONS).mapToObj(i -> new TopicPartition(topic, i)).toList();
        var consumer = rig.consumer("sessions", "fetch.max.wait.ms", "100", "enable.auto.commit", "false");
        consumer.assign(places);
        Set<Integer> seen = new HashSet<>();
        rig.read(consumer, PARTITIONS).forEach(record -> seen.add(record.partition()));
        Rig.same(PARTITIONS, seen.size(), "partitions read");
        small(sizes(rig, consumer), "when nothing happens");

        for (int i = 0; i < PARTITIONS; i += 7) {
            producer.send(new ProducerRecord<>(topic, i, null, "second")).get();
            Rig.same(i, rig.read(consumer, 1).get(0).partition(), "the partition of the next record");
        }
        // Fewer partitions: the session forgets the others, and learns of them again.
        consumer.assign(places.subList(0, 20));
        producer.send(new ProducerRecord<>(topic, 150, null, "third")).get();
        small(sizes(rig, consumer), "after partitions were given up");
        producer.send(new ProducerRecord<>(topic, 19, null, "third")).get();
        Rig.same(19, rig.read(consumer, 1).get(0).partition(), "the partition that was kept");
        consumer.assign(places); // from the beginning where nothing is known
        boolean[] found = {false};
        rig.until("the partition that came back", () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(
                record -> found[0] |= record.partition() == 150 && record.value().equals("third"));
            return found[0];
        });
    }
}
