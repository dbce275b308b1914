// SPDX-License-Identifier: BSD-2-Clause

/** kafka-topics, kafka-configs, kafka-broker-api-versions and kafka-cluster, as their scripts call them. */
public final class ConsoleTopics implements Rig.Scenario {
    @Override
    public void run(Rig rig) throws Exception {
        String topic = rig.name("topic");
        String versions = Tool.run(rig, Tool.API_VERSIONS);
        Rig.check(versions.contains("Produce(0): 0 to 13") && versions.contains("(id: "), "versions");
        Rig.check(Tool.plain("", Tool.CLUSTER, "cluster-id", "--bootstrap-server", rig.bootstrap).contains("Cluster ID: "), "cluster id");

        Rig.same("Created topic " + topic + ".\n",
            Tool.run(rig, Tool.TOPICS, "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000"), "create");
        Tool.run(rig, Tool.TOPICS, "--create", "--if-not-exists", "--topic", topic);
        rig.until("listed", () -> Tool.run(rig, Tool.TOPICS, "--list").lines().anyMatch(topic::equals));
        String described = Tool.run(rig, Tool.TOPICS, "--describe", "--topic", topic);
        Rig.check(described.matches("(?s)Topic: " + topic + "\tTopicId: [^\t]{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: .*"
            + "retention.ms=3600000.*\tPartition: 2\tLeader: \\d+\tReplicas: \\d+\tIsr: \\d+.*"), "describe");
        Tool.run(rig, Tool.TOPICS, "--alter", "--topic", topic, "--partitions", "5");
        rig.until("five", () -> Tool.run(rig, Tool.TOPICS, "--describe", "--topic", topic).contains("PartitionCount: 5"));

        Tool.run(rig, Tool.CONFIGS, "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config",
            "cleanup.policy=compact", "--delete-config", "retention.ms");
        rig.until("altered", () -> {
            String configs = Tool.run(rig, Tool.CONFIGS, "--describe", "--entity-type", "topics", "--entity-name", topic);
            return configs.contains("cleanup.policy=compact") && !configs.contains("retention.ms");
        });
        String all = Tool.run(rig, Tool.CONFIGS, "--describe", "--all", "--entity-type", "topics", "--entity-name", topic);
        Rig.check(all.contains("retention.ms=604800000") && all.contains("min.insync.replicas=1"), "all configs");

        String group = rig.name("configured");
        Tool.run(rig, Tool.CONFIGS, "--alter", "--entity-type", "groups", "--entity-name", group, "--add-config",
            "consumer.session.timeout.ms=50000");
        rig.until("the group's configuration", () ->
            Tool.run(rig, Tool.CONFIGS, "--describe", "--entity-type", "groups").matches(
                "(?s).*" + group + ".*consumer.session.timeout.ms=50000.*"));
        Tool.run(rig, Tool.CONFIGS, "--alter", "--entity-type", "groups", "--entity-name", group, "--delete-config",
            "consumer.session.timeout.ms");

        Tool.run(rig, Tool.TOPICS, "--delete", "--topic", topic);
        rig.until("gone", () -> Tool.run(rig, Tool.TOPICS, "--list").lines().noneMatch(topic::equals));
        Tool.run(rig, Tool.TOPICS, "--delete", "--if-exists", "--topic", topic);
    }
}
