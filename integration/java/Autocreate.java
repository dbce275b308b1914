// SPDX-License-Identifier: BSD-2-Clause

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

import org.apache.kafka.clients.producer.ProducerRecord;

/** A producer and a consumer ask for topics that nobody created, and log nothing about it. */
public final class Autocreate implements Rig.Scenario {
    @Override
    public void run(Rig rig) throws Exception {
        var producer = rig.producer();
        producer.send(new ProducerRecord<>(rig.name("by-producer"), "x")).get();
        var consumer = rig.consumer("group");
        consumer.subscribe(List.of(rig.name("by-consumer"), rig.name("by-producer")));
        Set<String> values = new TreeSet<>();
        rig.until("an assignment", () -> {
            consumer.poll(Duration.ofMillis(50)).forEach(record -> values.add(record.value()));
            return consumer.assignment().size() == 2;
        });
        producer.send(new ProducerRecord<>(rig.name("by-consumer"), "y")).get();
        rig.until("both records", () -> {
            consumer.poll(Duration.ofMillis(50)).forEach(record -> values.add(record.value()));
            return values.equals(Set.of("x", "y"));
        });
        Rig.same(List.of(), rig.complaints(), "complaints");
    }
}
