// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=90

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** kafka-console-producer and -consumer, -consumer-groups, -get-offsets, -delete-records, -log-dirs, -producer-perf-test. */
public final class ConsoleRecords implements Rig.Scenario {
    private Rig rig;
    private String topic;

    @Override
    public void run(Rig given) throws Exception {
        rig = given;
        topic = rig.createTopic(rig.admin(), "topic", 1);
        Tool.feed(rig, "a:1\nb:2\nc:3\n", Tool.PRODUCER, "--topic", topic, "--reader-property", "parse.key=true",
            "--reader-property", "key.separator=:", "--sync");
        Tool.feed(rig, "d:4\n", Tool.PRODUCER, "--topic", topic, "--reader-property", "parse.key=true",
            "--reader-property", "key.separator=:", "--compression-codec", "zstd");
        Rig.same("a\t1\nb\t2\nc\t3\nd\t4\n", consume(4, "--from-beginning", "--formatter-property", "print.key=true"), "records");
        Rig.same("3\n4\n", consume(2, "--partition", "0", "--offset", "2"), "from an offset");
        groups();
        offsets();
        Tool.run(rig, Tool.PRODUCER_PERF, "--topic", topic, "--num-records", "2000", "--record-size", "100", "--throughput", "-1");
        Rig.same(topic + ":0:2004", Tool.run(rig, Tool.GET_OFFSETS, "--topic", topic).trim(), "after the perf test");
        dump();
    }

    private String consume(int count, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("--topic", topic, "--max-messages", Integer.toString(count),
            "--timeout-ms", "20000"));
        arguments.addAll(List.of(more));
        return Tool.run(rig, Tool.CONSUMER, arguments.toArray(String[]::new));
    }

    private void groups() throws Exception {
        String group = rig.name("group");
        Rig.same("1\n2\n", consume(2, "--group", group, "--from-beginning"), "two of the group");
        Rig.same("3\n", consume(1, "--group", group), "the third");
        Rig.check(Tool.run(rig, Tool.GROUPS, "--list").lines().anyMatch(group::equals), "listed");
        String described = Tool.run(rig, Tool.GROUPS, "--describe", "--group", group);
        Rig.check(described.replaceAll(" +", " ").contains(group + " " + topic + " 0 3 4 1 - - -"), "described");
        Rig.check(Tool.run(rig, Tool.GROUPS, "--describe", "--group", group, "--state").contains("Empty"), "its state");
        Tool.run(rig, Tool.GROUPS, "--reset-offsets", "--to-earliest", "--execute", "--topic", topic, "--group", group);
        Rig.same("1\n", consume(1, "--group", group), "after the reset");

        var member = rig.consumer("live");
        member.subscribe(List.of(topic));
        rig.read(member, 4);
        member.commitSync();
        String members = Tool.run(rig, Tool.GROUPS, "--describe", "--group", rig.name("live"), "--members", "--verbose");
        Rig.check(members.contains(topic + "(0)") || members.contains(topic + ":0"), "its members");
        Rig.check(Tool.run(rig, Tool.GROUPS, "--describe", "--all-groups").contains(rig.name("live")), "all groups");
        member.close();
        Tool.run(rig, Tool.GROUPS, "--delete-offsets", "--group", rig.name("live"), "--topic", topic);
        Tool.run(rig, Tool.GROUPS, "--delete", "--group", rig.name("live"));
        Rig.check(Tool.run(rig, Tool.GROUPS, "--list").lines().noneMatch(rig.name("live")::equals), "deleted");
    }

    private void offsets() throws Exception {
        Rig.same(topic + ":0:4", Tool.run(rig, Tool.GET_OFFSETS, "--topic", topic).trim(), "latest");
        Path file = rig.file("delete.json");
        Files.writeString(file, "{\"version\":1,\"partitions\":[{\"topic\":\"" + topic + "\",\"partition\":0,\"offset\":2}]}");
        Rig.check(Tool.run(rig, Tool.DELETE_RECORDS, "--offset-json-file", file.toString()).contains("low_watermark: 2"), "deleted");
        Rig.same(topic + ":0:2", Tool.run(rig, Tool.GET_OFFSETS, "--topic", topic, "--time", "-2").trim(), "earliest");
        String dirs = Tool.run(rig, Tool.LOG_DIRS, "--describe", "--topic-list", topic);
        Rig.check(dirs.contains("\"partition\":\"" + topic + "-0\"") && dirs.contains("\"error\":null"), "log dirs");
    }

    /** The broker's files are Kafka's own, down to the indexes. */
    private void dump() throws Exception {
        Path folder = rig.data().resolve(topic + "-0");
        Set<String> files = new TreeSet<>();
        try (var entries = Files.list(folder)) {
            entries.map(Path::toString).filter(name -> name.matches(".*\\.(log|index|timeindex)")).forEach(files::add);
        }
        Rig.check(files.stream().anyMatch(name -> name.endsWith(".log")), "a .log file");
        String dump = Tool.plain("", Tool.DUMP_LOG, "--files", String.join(",", files), "--print-data-log");
        Rig.check(dump.contains("payload: 4") && dump.contains("isvalid: true") && !dump.contains("isvalid: false"), "dump");
        Rig.check(!dump.toLowerCase().contains("mismatch") && !dump.contains("corrupt"), "the indexes match");
    }
}
