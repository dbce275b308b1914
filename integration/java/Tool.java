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
    /** Thrown where a tool would end the JVM. Tools catch it and exit again: the first status and output count. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1L;
    }

    private record Result(int status, String printed, String complained) {
    }

    private static ByteArrayOutputStream printed;
    private static ByteArrayOutputStream complained;
    private static Result result;

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
        printed = new ByteArrayOutputStream();
        complained = new ByteArrayOutputStream();
        result = null;
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(complained, true, StandardCharsets.UTF_8));
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            end(0);
        } catch (InvocationTargetException wrapped) {
            if (!(wrapped.getCause() instanceof Exited)) {
                throw wrapped;
            }
        } finally {
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
        String text = result.printed();
        System.out.println("$ " + tool + " " + String.join(" ", arguments) + "\n" + text + result.complained());
        Rig.check(result.status() == 0, tool + ": exit status " + result.status());
        Rig.check(Rig.complaints(text + result.complained()).isEmpty(), tool + " complained");
        Rig.check(!text.contains("Error:") && !text.contains("WARNING:"), tool + " complained");
        return text;
    }

    /** What the JVM does when a tool asks it to exit. */
    static void exit(int status) {
        end(status);
        throw new Exited();
    }

    private static void end(int status) {
        if (result == null) {
            result = new Result(status, printed.toString(StandardCharsets.UTF_8), complained.toString(StandardCharsets.UTF_8));
        }
    }
}
