// SPDX-License-Identifier: BSD-2-Clause

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Runs one of Apache Kafka's console tools by its main class, as its shell script would, in this JVM. */
final class Tool {
    /** Thrown instead of ending the JVM. */
    static final class Exited extends RuntimeException {
        private static final long serialVersionUID = 1L;
        final int status;

        Exited(int status, String message) {
            super("exit status " + status + (message == null ? "" : ": " + message));
            this.status = status;
        }
    }

    static final String TOPICS = "org.apache.kafka.tools.TopicCommand";
    static final String PRODUCER = "org.apache.kafka.tools.ConsoleProducer";
    static final String CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    static final String GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    static final String CONFIGS = "kafka.admin.ConfigCommand";
    static final String API_VERSIONS = "org.apache.kafka.tools.BrokerApiVersionsCommand";
    static final String GET_OFFSETS = "org.apache.kafka.tools.GetOffsetShell";
    static final String DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand";
    static final String LOG_DIRS = "org.apache.kafka.tools.LogDirsCommand";
    static final String CLUSTER = "org.apache.kafka.tools.ClusterTool";
    static final String PRODUCER_PERF = "org.apache.kafka.tools.ProducerPerformance";
    static final String DUMP_LOG = "org.apache.kafka.tools.DumpLogSegments";

    private Tool() {
    }

    /** Its standard output. The tool must succeed and log no warning or error. */
    static String run(Rig rig, String tool, String... arguments) throws Exception {
        return feed(rig, "", tool, arguments);
    }

    static String feed(Rig rig, String input, String tool, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of("--bootstrap-server", rig.bootstrap));
        all.addAll(List.of(arguments));
        return plain(input, tool, all.toArray(String[]::new));
    }

    /** Without an address added. */
    static String plain(String input, String tool, String... arguments) throws Exception {
        InputStream in = System.in;
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ByteArrayOutputStream complained = new ByteArrayOutputStream();
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(complained, true, StandardCharsets.UTF_8));
        int status = 0;
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException wrapped) {
            if (!(wrapped.getCause() instanceof Exited exited)) {
                throw wrapped;
            }
            status = exited.status;
        } finally {
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
        String text = printed.toString(StandardCharsets.UTF_8);
        String complaints = complained.toString(StandardCharsets.UTF_8);
        System.out.println("$ " + tool + " " + String.join(" ", arguments) + "\n" + text + complaints);
        Rig.check(status == 0, tool + ": exit status " + status);
        Rig.check(Rig.complaints(text + complaints).isEmpty(), tool + " complained");
        Rig.check(!text.contains("Error:") && !text.contains("WARNING:"), tool + " complained");
        return text;
    }
}
