// SPDX-License-Identifier: BSD-2-Clause

import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Limits of a fetch: batches larger than every limit still come, few bytes are waited for, an end is waited at. */
public final class Fetching implements Rig.Scenario {
    private static final int PARTITIONS = 4;

    @Override
    public void run(Rig rig) throws Exception {
        String topic = rig.createTopic(rig.admin(), "fetching", PARTITIONS);
        var producer = rig.producer("batch.size", "60000", "linger.ms", "100");
        for (int i = 0; i < 400; i++) {
            producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, "x".repeat(1000)));
        }
        producer.flush();
        List<TopicPartition> places = IntStream.range(0, PARTITIONS).mapToObj(i -> new TopicPartition(topic, i)).toList();

        var narrow = rig.consumer("narrow", "max.partition.fetch.bytes", "100", "fetch.max.bytes", "100");
        narrow.assign(places);
        Rig.same(400, rig.read(narrow, 400).size(), "records, though each batch is over the limit");

        var patient = rig.consumer("patient", "fetch.min.bytes", "1000000", "fetch.max.wait.ms", "400");
        patient.assign(places);
        patient.seekToEnd(places);
        places.forEach(patient::position);
        producer.send(new ProducerRecord<>(topic, 0, null, "few bytes")).get();
        long started = System.nanoTime();
        Rig.same(1, rig.read(patient, 1).size(), "records");
        long waited = Duration.ofNanos(System.nanoTime() - started).toMillis();
        Rig.check(waited >= 200 && waited < 3000, "few bytes came after " + waited + " ms");

        started = System.nanoTime();
        Rig.check(patient.poll(Duration.ofMillis(1000)).isEmpty(), "nothing at the end");
        waited = Duration.ofNanos(System.nanoTime() - started).toMillis();
        Rig.check(waited >= 900, "the end was waited at for " + waited + " ms");
    }
}
