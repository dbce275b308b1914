// SPDX-License-Identifier: BSD-2-Clause
//
// Throughput TOPIC RECORDS SIZE: how fast the Java client produces and reads. Prints one line of JSON, in MB of values per second.

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Throughput {
    static final String BOOTSTRAP = System.getenv("BOOTSTRAP");

    static double produce(String topic, int records, int size) {
        byte[] value = new byte[size];
        Map<String, Object> settings = Map.of("bootstrap.servers", BOOTSTRAP, "acks", "1", "enable.idempotence", false);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.partitionsFor(topic);
            long begun = System.nanoTime();
            for (int i = 0; i < records; i++) {
                producer.send(new ProducerRecord<>(topic, value), (metadata, error) -> {
                    if (error != null) {
                        error.printStackTrace();
                        Runtime.getRuntime().halt(1);
                    }
                });
            }
            producer.flush();
            return (System.nanoTime() - begun) / 1e9;
        }
    }

    static double consume(String topic, int records) {
        Map<String, Object> settings =
            Map.of("bootstrap.servers", BOOTSTRAP, "group.id", topic + "-java", "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            long begun = 0, deadline = System.nanoTime() + 60_000_000_000L;
            for (int left = records; left > 0;) {
                int count = consumer.poll(Duration.ofMillis(500)).count();
                if (count > 0 && begun == 0)
                    begun = System.nanoTime();
                if (System.nanoTime() > deadline)
                    throw new IllegalStateException(left + " records are missing");
                left -= count;
            }
            return (System.nanoTime() - begun) / 1e9;
        }
    }

    public static void main(String[] args) {
        int records = Integer.parseInt(args[1]), size = Integer.parseInt(args[2]);
        double megabytes = (double) records * size / 1e6;
        double produced = produce(args[0], records, size), consumed = consume(args[0], records);
        System.out.printf(Locale.ROOT, "{\"produce\":%.3f,\"consume\":%.3f}%n", megabytes / produced, megabytes / consumed);
        System.exit(0);
    }
}
