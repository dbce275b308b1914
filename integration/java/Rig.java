// SPDX-License-Identifier: BSD-2-Clause

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the Java scenarios share: the broker's address, names, clients (closed at the end), waiting, complaints. */
final class Rig implements AutoCloseable {
    interface Scenario {
        void run(Rig rig) throws Exception;
    }

    static final Duration WAIT = Duration.ofSeconds(30);

    final String bootstrap;
    private final String prefix;
    private final String control;
    private final Path folder;
    private final ByteArrayOutputStream printed;
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    Rig(String bootstrap, String prefix, String control, String folder, ByteArrayOutputStream printed) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.control = control;
        this.folder = Path.of(folder);
        this.printed = printed;
    }

    String name(String suffix) {
        return prefix + suffix;
    }

    /** The data directory of the broker. */
    Path data() {
        return folder.resolveSibling("data");
    }

    /** A file name of the scenario's own. */
    Path file(String name) {
        return folder.resolve(name);
    }

    Map<String, Object> settings(String... more) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < more.length; i += 2) {
            settings.put(more[i], more[i + 1]);
        }
        return settings;
    }

    <C extends AutoCloseable> C keep(C client) {
        open.push(client);
        return client;
    }

    Admin admin() {
        return keep(Admin.create(settings()));
    }

    KafkaProducer<String, String> producer(String... more) {
        return keep(new KafkaProducer<>(settings(more), new StringSerializer(), new StringSerializer()));
    }

    KafkaProducer<byte[], byte[]> bytesProducer(String... more) {
        return keep(new KafkaProducer<>(settings(more), new ByteArraySerializer(), new ByteArraySerializer()));
    }

    private Map<String, Object> consumerSettings(String group, String... more) {
        Map<String, Object> settings = settings(more);
        settings.put("group.id", name(group));
        settings.putIfAbsent("auto.offset.reset", "earliest");
        return settings;
    }

    KafkaConsumer<String, String> consumer(String group, String... more) {
        return keep(new KafkaConsumer<>(consumerSettings(group, more), new StringDeserializer(), new StringDeserializer()));
    }

    KafkaConsumer<byte[], byte[]> bytesConsumer(String group, String... more) {
        return keep(
            new KafkaConsumer<>(consumerSettings(group, more), new ByteArrayDeserializer(), new ByteArrayDeserializer()));
    }

    KafkaShareConsumer<String, String> shareConsumer(String group, String... more) {
        Map<String, Object> settings = settings(more);
        settings.put("group.id", name(group));
        return keep(new KafkaShareConsumer<>(settings, new StringDeserializer(), new StringDeserializer()));
    }

    String createTopic(Admin admin, String suffix, int partitions) throws Exception {
        String topic = name(suffix);
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        until("the topic", () -> admin.listTopics().names().get().contains(topic));
        return topic;
    }

    <K, V> List<ConsumerRecord<K, V>> read(KafkaConsumer<K, V> consumer, int count) {
        List<ConsumerRecord<K, V>> records = new ArrayList<>();
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (records.size() < count) {
            check(System.nanoTime() < deadline, records.size() + " of " + count + " records came");
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (!condition.call()) {
            check(System.nanoTime() < deadline, "waited for: " + what);
            Thread.sleep(10);
        }
    }

    void control(String word) throws IOException {
        ask(word);
    }

    /** The same for words that have an answer: {@code proxy address} and the like. */
    String ask(String words) throws IOException {
        int colon = control.lastIndexOf(':');
        try (Socket socket = new Socket(control.substring(0, colon), Integer.parseInt(control.substring(colon + 1)))) {
            socket.getOutputStream().write((words + "\n").getBytes(StandardCharsets.US_ASCII));
            String answer = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine();
            check(answer != null && answer.startsWith("ok"), "control " + words + ": " + answer);
            return answer.substring(2).strip();
        }
    }

    /** The warnings and errors that the clients have logged so far. */
    List<String> complaints() {
        return complaints(printed.toString(StandardCharsets.UTF_8));
    }

    static List<String> complaints(String text) {
        return text.lines().filter(line -> line.matches("^\\[.*\\] (WARN|ERROR|FATAL) .*")).toList();
    }

    static void check(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }

    static void same(Object expected, Object got, String what) {
        check(expected.equals(got), what + ": expected " + expected + ", got " + got);
    }

    @Override
    public void close() {
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (Exception ignored) {
                continue; // a client that was closed already, or whose broker is gone
            }
        }
    }
}
