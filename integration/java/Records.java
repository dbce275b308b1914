// SPDX-License-Identifier: BSD-2-Clause

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Future;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The default (idempotent) producer with each codec: null and empty keys and values, headers, 900 KB, offsets told. */
public final class Records implements Rig.Scenario {
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

    @Override
    public void run(Rig rig) throws Exception {
        String topic = rig.createTopic(rig.admin(), "records", 1);
        byte[] large = new byte[900 * 1024];
        new Random(1).nextBytes(large);
        List<Header> headers = List.of(new RecordHeader("h", "1".getBytes()), new RecordHeader("h", null));
        byte[][][] cases = {{bytes("k"), bytes("v")}, {null, bytes("no key")}, {bytes("no value"), null}, {null, null},
            {bytes(""), bytes("")}, {bytes("large"), large}};

        List<Future<RecordMetadata>> answers = new ArrayList<>();
        for (String codec : CODECS) {
            try (KafkaProducer<byte[], byte[]> producer = rig.bytesProducer("compression.type", codec)) {
                for (byte[][] pair : cases) {
                    answers.add(producer.send(new ProducerRecord<>(topic, 0, null, pair[0], pair[1], headers)));
                }
            }
        }
        for (int i = 0; i < answers.size(); i++) {
            Rig.same((long) i, answers.get(i).get().offset(), "offset");
        }

        var consumer = rig.bytesConsumer("group");
        consumer.subscribe(List.of(topic));
        List<ConsumerRecord<byte[], byte[]>> got = rig.read(consumer, answers.size());
        for (int i = 0; i < got.size(); i++) {
            byte[][] pair = cases[i % cases.length];
            Rig.check(Arrays.equals(pair[0], got.get(i).key()), "key of " + i);
            Rig.check(Arrays.equals(pair[1], got.get(i).value()), "value of " + i);
            Rig.same(headers, Arrays.asList(got.get(i).headers().toArray()), "headers of " + i);
            Rig.same((long) i, got.get(i).offset(), "offset");
        }
        Rig.same(List.of(), rig.complaints(), "complaints");
    }

    private static byte[] bytes(String text) {
        return text.getBytes();
    }
}
