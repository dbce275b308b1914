// SPDX-License-Identifier: BSD-2-Clause

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs scenarios by name, one after the other, in one JVM: the suite writes a line per scenario (class, broker, prefix,
 * control, folder) and reads what the scenario printed and then {@code @done ok} or {@code @done fail}.
 */
public final class Main {
    private Main() {
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        Exit.setExitProcedure((code, message) -> Tool.exit(code));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            PrintStream catcher = new PrintStream(printed, true, StandardCharsets.UTF_8);
            System.setOut(catcher);
            System.setErr(catcher);
            boolean good = run(words[0], new Rig(words[1], words[2], words[3], words[4], printed), catcher);
            catcher.flush();
            out.print(printed.toString(StandardCharsets.UTF_8));
            out.print(good ? "\n@done ok\n" : "\n@done fail\n");
            out.flush();
        }
    }

    private static boolean run(String name, Rig rig, PrintStream printed) {
        try {
            ((Rig.Scenario) Class.forName(name).getDeclaredConstructor().newInstance()).run(rig);
            return true;
        } catch (Throwable failure) {
            failure.printStackTrace(printed);
            return false;
        } finally {
            rig.close();
        }
    }
}
