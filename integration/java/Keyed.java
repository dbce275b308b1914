// SPDX-License-Identifier: BSD-2-Clause

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** `Keyed TOPIC RECORDS KEYS`: what `keyed read` of load/keyed.c does, with the Java client. One process per call. */
final class Keyed {
    private Keyed() {
    }

    private static int keyOf(int i, int keys) {
        return Integer.remainderUnsigned(i * (int) 2654435761L, keys);
    }

    public static void main(String[] arguments) {
        int records = Integer.parseInt(arguments[1]);
        int keys = Integer.parseInt(arguments[2]);
        int[] last = new int[keys];
        int[] seen = new int[keys];
        Arrays.fill(last, -1);
        Arrays.fill(seen, -1);
        for (int i = 0; i < records; i++) {
            last[keyOf(i, keys)] = i;
        }
        var partition = new TopicPartition(arguments[0], 0);
        long offset = -1;
        long count = 0;
        int number = -1;
        Map<String, Object> settings = Map.of("bootstrap.servers", System.getenv("BOOTSTRAP"), "max.poll.records", 5000);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            while (number + 1 < records) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    int i = Integer.parseInt(record.value().substring(0, record.value().indexOf(' ')));
                    check(record.offset() > offset, record.offset() + " after " + offset);
                    check(i > number && i < records, "record " + i + " after " + number);
                    check(record.key().equals("key-" + keyOf(i, keys)), "record " + i + " has the key " + record.key());
                    offset = record.offset();
                    number = i;
                    seen[keyOf(i, keys)] = i;
                    count++;
                }
            }
        }
        check(Arrays.equals(seen, last), "not every key has its last value");
        System.out.println(count);
    }

    private static void check(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }
}
