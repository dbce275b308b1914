// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Future;

import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/** The default producer, five requests in flight, over a restart and a kill of the broker: each record once, in order. */
public final class Idempotent implements Rig.Scenario {
    private static final int COUNT = 3000;

    @Override
    public void run(Rig rig) throws Exception {
        String topic = rig.createTopic(rig.admin(), "idempotent", 1);
        List<Future<RecordMetadata>> answers = new ArrayList<>();
        var producer = rig.producer("batch.size", "200", "reconnect.backoff.max.ms", "500");
        for (int i = 0; i < COUNT; i++) {
            if (i == COUNT / 3) {
                rig.control("restart");
            } else if (i == 2 * COUNT / 3) {
                rig.control("kill");
                rig.control("start");
            }
            answers.add(producer.send(new ProducerRecord<>(topic, 0, null, Integer.toString(i))));
            if (i % 10 == 0) {
                Thread.sleep(1);
            }
        }
        for (int i = 0; i < COUNT; i++) {
            Rig.same((long) i, answers.get(i).get().offset(), "offset");
        }
        var consumer = rig.consumer("group");
        consumer.subscribe(List.of(topic));
        var got = rig.read(consumer, COUNT);
        for (int i = 0; i < COUNT; i++) {
            Rig.same(Integer.toString(i), got.get(i).value(), "value");
        }
        Rig.same(COUNT, got.size(), "records");
    }
}
