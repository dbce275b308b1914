// SPDX-License-Identifier: BSD-2-Clause

import java.util.List;
import java.util.Map;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Seek by offset and time, beginning and end offsets, an offset out of range with each policy. */
public final class Seek implements Rig.Scenario {
    private static final long START = 1700000000000L;

    @Override
    public void run(Rig rig) throws Exception {
        TopicPartition place = new TopicPartition(rig.createTopic(rig.admin(), "seek", 1), 0);
        var producer = rig.producer("batch.size", "300");
        for (int i = 0; i < 100; i++) {
            producer.send(new ProducerRecord<>(place.topic(), 0, START + 1000 * i, null, Integer.toString(i)));
        }
        producer.flush();

        KafkaConsumer<String, String> consumer = rig.consumer("group");
        consumer.assign(List.of(place));
        Rig.same(0L, consumer.beginningOffsets(List.of(place)).get(place), "beginning");
        Rig.same(100L, consumer.endOffsets(List.of(place)).get(place), "end");
        Rig.same(57L, at(consumer, place, START + 57000), "the exact time");
        Rig.same(57L, at(consumer, place, START + 56001), "between two records");
        Rig.same(0L, at(consumer, place, START - 1), "before all");
        Rig.check(consumer.offsetsForTimes(Map.of(place, START + 99001)).get(place) == null, "after all");

        for (long offset : new long[] {57, 0, 99}) {
            consumer.seek(place, offset);
            Rig.same(offset, rig.read(consumer, 1).get(0).offset(), "seek");
        }
        consumer.seekToEnd(List.of(place));
        Rig.same(100L, consumer.position(place), "position at the end");
        consumer.seek(place, 5000);
        Rig.same(0L, rig.read(consumer, 1).get(0).offset(), "out of range, earliest");
        Rig.same(0L, consumer.currentLag(place).orElse(-1) + consumer.position(place) - 100, "lag");
    }

    private static long at(KafkaConsumer<String, String> consumer, TopicPartition place, long time) {
        return consumer.offsetsForTimes(Map.of(place, time)).get(place).offset();
    }
}
