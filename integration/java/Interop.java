// SPDX-License-Identifier: BSD-2-Clause

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What `integration/interop` asks of a broker, whichever it is: `write` fills topics of all kinds, `more` goes on in them,
 * `read FILE` writes down everything a client can see. One process per call.
 */
final class Interop {
    private static final String GROUP = "interop-group";
    private static final int COMPACT_KEYS = 50;

    private final String bootstrap;

    private Interop(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] arguments) throws Exception {
        Interop interop = new Interop(arguments[1]);
        switch (arguments[0]) {
            case "write" -> interop.write();
            case "more" -> interop.more();
            case "read" -> Files.writeString(Path.of(arguments[2]), interop.read());
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private Map<String, Object> settings(String... more) {
        Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    private KafkaProducer<byte[], byte[]> producer(String... more) {
        return new KafkaProducer<>(settings(more), new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer(String... more) {
        return new KafkaConsumer<>(settings(more), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, Integer partition, String key, String value) {
        var record = new ProducerRecord<>(topic, partition, System.currentTimeMillis(), bytes(key), value.isEmpty() ? null : bytes(value));
        record.headers().add("h", bytes(key));
        return record;
    }

    // --- write ---

    private void write() throws Exception {
        try (Admin admin = Admin.create(settings())) {
            admin.createTopics(List.of(
                new NewTopic("plain", 1, (short) 1).configs(Map.of("retention.ms", "-1", "segment.bytes", "1048576")),
                new NewTopic("wide.topic", 5, (short) 1).configs(Map.of("retention.ms", "-1", "max.message.bytes", "2000000")),
                new NewTopic("packed", 1, (short) 1).configs(Map.of("retention.ms", "-1")),
                new NewTopic("keyed", 1, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.ms", "300",
                    "min.cleanable.dirty.ratio", "0.01")),
                new NewTopic("trades", 2, (short) 1).configs(Map.of("retention.ms", "-1")),
                new NewTopic("doomed", 1, (short) 1))).all().get();
            send("doomed", 1, 0, 10);
            admin.deleteTopics(List.of("doomed")).all().get();
        }
        send("plain", 1, 0, 12000);
        send("wide.topic", 5, 0, 500);
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd", "none")) {
            send("packed", 1, 0, 400, "compression.type", codec, "linger.ms", "50");
        }
        for (int round = 0; round < 4; round++) {
            compactable("a" + round);
            Thread.sleep(400);
        }
        transactions("a");
        commit(7);
        Thread.sleep(1500); // so that compaction is under way or done
        compactable("last");
    }

    private void more() throws Exception {
        send("plain", 1, 100000, 500);
        send("wide.topic", 5, 100000, 200, "compression.type", "lz4");
        compactable("b");
        Thread.sleep(400);
        compactable("c");
        transactions("b");
        commit(9);
    }

    private void send(String topic, int partitions, int from, int count, String... settings) throws Exception {
        try (var producer = producer(settings)) {
            for (int i = from; i < from + count; i++) {
                producer.send(record(topic, i % partitions, "key-" + i, ("value-" + i).repeat(1 + i % 30)));
            }
        }
    }

    private void compactable(String round) throws Exception {
        try (var producer = producer("compression.type", round.length() % 2 == 0 ? "zstd" : "none")) {
            for (int i = 0; i < COMPACT_KEYS; i++) {
                String value = i % 10 == 9 && round.equals("last") ? "" : round + "-" + i;
                producer.send(record("keyed", 0, "key-" + i, value)).get();
            }
        }
    }

    /** Committed and aborted ones, by the same transactional id; offsets among them. */
    private void transactions(String round) throws Exception {
        try (var producer = producer("transactional.id", "interop-trader")) {
            producer.initTransactions();
            for (int i = 0; i < 6; i++) {
                producer.beginTransaction();
                for (int j = 0; j < 20; j++) {
                    producer.send(record("trades", j % 2, round + i, "trade-" + round + "-" + i + "-" + j));
                }
                producer.flush();
                if (i % 3 == 2) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
    }

    private void commit(long offset) {
        try (var consumer = consumer("group.id", GROUP)) {
            var partition = new TopicPartition("plain", 0);
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(offset, java.util.Optional.of(0), "note-" + offset)));
        }
    }

    // --- read ---

    private String read() throws Exception {
        StringBuilder text = new StringBuilder();
        try (Admin admin = Admin.create(settings())) {
            for (String topic : new TreeSet<>(admin.listTopics().names().get())) {
                var description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
                text.append("topic ").append(topic).append(' ').append(description.topicId()).append(' ')
                    .append(description.partitions().size()).append('\n');
                text.append("  configs ").append(configs(admin, topic)).append('\n');
                for (int i = 0; i < description.partitions().size(); i++) {
                    partition(text, new TopicPartition(topic, i));
                }
            }
            var offsets = admin.listConsumerGroupOffsets(GROUP).partitionsToOffsetAndMetadata().get();
            text.append("group ").append(new TreeMap<>(Map.of("offsets", offsets.toString()))).append('\n');
        }
        return text.toString();
    }

    private static Map<String, String> configs(Admin admin, String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Map<String, String> set = new TreeMap<>();
        for (ConfigEntry entry : config.entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                set.put(entry.name(), entry.value());
            }
        }
        return set;
    }

    private void partition(StringBuilder text, TopicPartition partition) {
        for (String level : List.of("read_uncommitted", "read_committed")) {
            List<ConsumerRecord<byte[], byte[]>> records = records(partition, level);
            boolean keyed = partition.topic().equals("keyed");
            text.append("  ").append(partition).append(' ').append(level);
            if (keyed) {
                Map<String, String> last = new TreeMap<>();
                records.forEach(record -> last.put(new String(record.key(), StandardCharsets.UTF_8), show(record)));
                last.values().removeIf(shown -> shown.contains("=null"));
                text.append(' ').append(last).append('\n');
                continue;
            }
            text.append(' ').append(records.size()).append('\n');
            if (!partition.topic().startsWith("__")) {
                records.forEach(record -> text.append("    ").append(show(record)).append('\n'));
            }
        }
    }

    private static String show(ConsumerRecord<byte[], byte[]> record) {
        return record.offset() + " " + record.timestamp() + " " + new String(record.key(), StandardCharsets.UTF_8) + "="
            + (record.value() == null ? "null" : Integer.toHexString(Arrays.hashCode(record.value())) + "/" + record.value().length)
            + " " + new String(record.headers().lastHeader("h") == null ? new byte[0] : record.headers().lastHeader("h").value(), StandardCharsets.UTF_8);
    }

    private List<ConsumerRecord<byte[], byte[]>> records(TopicPartition partition, String level) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (var consumer = consumer("isolation.level", level)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (consumer.position(partition) < end) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError(partition + " " + level + ": stuck at " + consumer.position(partition) + " of " + end);
                }
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }
}
