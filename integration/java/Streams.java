// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=900 warnings=yes

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.IntStream;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams counts words with exactly_once_v2 while the application and the broker are killed in turn: each count of
 * each word comes out exactly once, in order. STREAMS_KILLS says how often (2 when it is not set).
 */
public final class Streams implements Rig.Scenario {
    private static final int PARTITIONS = 2;
    private static final int WORDS = 8;
    private static final int PER_ROUND = 200;

    /** The application, in a process of its own: bootstrap, id, input, output, state directory. */
    public static final class App {
        private App() {
        }

        public static void main(String[] arguments) {
            var settings = new Properties();
            settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
            settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
            settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
            settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 50);
            settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0); // every count goes out
            settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
            settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
            settings.put(StreamsConfig.producerPrefix("reconnect.backoff.max.ms"), 200);
            settings.put(StreamsConfig.consumerPrefix("reconnect.backoff.max.ms"), 200);
            var builder = new StreamsBuilder();
            builder.stream(arguments[2], Consumed.with(Serdes.String(), Serdes.String()))
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts"))
                    .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
                .toStream().to(arguments[3], Produced.with(Serdes.String(), Serdes.Long()));
            var streams = new KafkaStreams(builder.build(), settings);
            streams.setUncaughtExceptionHandler(failure -> StreamThreadExceptionResponse.REPLACE_THREAD);
            Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
            streams.start();
        }
    }

    private static Process launch(Rig rig, String input, String output) throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new ProcessBuilder(java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
            System.getProperty("java.class.path"), "Streams$App", rig.bootstrap, rig.name("words"), input, output,
            rig.file("state").toString())
            .redirectErrorStream(true).redirectOutput(rig.file("app.log").toFile()).start();
    }

    private static void expect(Map<String, Long> counts, String word, long count) {
        Rig.same(counts.merge(word, 1L, Long::sum), count, "the next count of " + word);
    }

    @Override
    public void run(Rig rig) throws Exception {
        String kills = System.getenv("STREAMS_KILLS");
        int rounds = kills == null ? 2 : Integer.parseInt(kills);
        var admin = rig.admin();
        String input = rig.createTopic(admin, "lines", PARTITIONS);
        String output = rig.createTopic(admin, "counts", PARTITIONS);
        var producer = rig.producer("delivery.timeout.ms", "60000", "reconnect.backoff.max.ms", "200");
        Process app = launch(rig, input, output);
        int sent = 0;
        var counts = new HashMap<String, Long>();
        var reader = rig.keep(new KafkaConsumer<>(Map.<String, Object>of("bootstrap.servers", rig.bootstrap,
            "isolation.level", "read_committed", "auto.offset.reset", "earliest", "reconnect.backoff.max.ms", "200"),
            new StringDeserializer(), new LongDeserializer()));
        reader.assign(IntStream.range(0, PARTITIONS).mapToObj(i -> new TopicPartition(output, i)).toList());
        try {
            int got = 0;
            for (int round = 0; round <= rounds; round++) {
                for (int i = 0; i < PER_ROUND; i++, sent++) {
                    producer.send(new ProducerRecord<>(input, sent % PARTITIONS, null, "word" + sent % WORDS));
                    Thread.sleep(2);
                    if (i == PER_ROUND / 2 && round < rounds) {
                        if (round % 2 == 0) {
                            app.destroyForcibly().waitFor();
                            app = launch(rig, input, output);
                        } else {
                            rig.control("kill");
                            rig.control("start");
                        }
                    }
                }
                producer.flush();
                long deadline = System.nanoTime() + Duration.ofSeconds(180).toNanos();
                while (got < sent) {
                    Rig.check(System.nanoTime() < deadline, got + " of " + sent + " counts came in round " + round);
                    for (var record : reader.poll(Duration.ofMillis(100))) {
                        expect(counts, record.key(), record.value());
                        got++;
                    }
                }
            }
            Rig.check(reader.poll(Duration.ofMillis(500)).isEmpty(), "nothing was counted twice");
            for (int i = 0; i < WORDS; i++) {
                Rig.same((long) sent / WORDS, counts.get("word" + i), "word" + i);
            }
        } finally {
            app.destroyForcibly().waitFor();
        }
    }
}
