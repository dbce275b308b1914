// SPDX-License-Identifier: BSD-2-Clause

import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Refusals arrive as the exception that names them, and the same client goes on. */
public final class Errors implements Rig.Scenario {
    @Override
    public void run(Rig rig) throws Exception {
        Admin admin = rig.admin();
        String topic = rig.createTopic(admin, "errors", 2);
        KafkaProducer<byte[], byte[]> producer = rig.bytesProducer("max.request.size", "5000000");
        producer.send(new ProducerRecord<>(topic, 0, null, new byte[10])).get();
        refused(RecordTooLargeException.class, () -> producer.send(new ProducerRecord<>(topic, 0, null, new byte[2000000])));
        Rig.same(1L, producer.send(new ProducerRecord<>(topic, 0, null, new byte[10])).get().offset(), "offset");

        String compacted = rig.name("compacted");
        admin.createTopics(List.of(new NewTopic(compacted, 1, (short) 1).configs(Map.of("cleanup.policy", "compact")))).all().get();
        rig.until("the topic", () -> admin.listTopics().names().get().contains(compacted));
        refused(InvalidRecordException.class, () -> producer.send(new ProducerRecord<>(compacted, null, new byte[10])));
        producer.send(new ProducerRecord<>(compacted, new byte[1], null)).get();

        refused(TopicExistsException.class, () -> create(admin, topic, 1));
        refused(InvalidTopicException.class, () -> create(admin, "no spaces please", 1));
        refused(InvalidPartitionsException.class, () -> create(admin, rig.name("none"), 0));
        refused(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(rig.name("absent"))).all());
        refused(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(rig.name("absent"))).allTopicNames());
        refused(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(rig.name("absent"))).all());
        refused(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(rig.name("absent"))).all());
    }

    private static Future<?> create(Admin admin, String topic, int partitions) {
        return admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all();
    }

    private static void refused(Class<? extends Exception> expected, Callable<Future<?>> call) throws Exception {
        try {
            call.call().get();
        } catch (ExecutionException wrapped) {
            Rig.check(expected.isInstance(wrapped.getCause()), expected.getSimpleName() + " expected, got " + wrapped.getCause());
            return;
        }
        throw new AssertionError(expected.getSimpleName() + " expected");
    }
}
