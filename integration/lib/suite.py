# SPDX-License-Identifier: BSD-2-Clause
"""Finds the scenarios, gives each a broker, runs it, and judges the outcome.

A scenario is one file in a folder that stands for a client; it becomes one program run that exits with 0 or not. It is
told by environment variables: BOOTSTRAP (address of the broker), PREFIX (begin topic and group names with it: brokers
are shared), CONTROL (lib/control.py), TMPDIR (its own, removed afterwards). Comment lines `suite: key=value` near its
top set what differs from the defaults:

    timeout=SECONDS   60
    warnings=yes      the broker may log warnings and errors meanwhile; default no
    brokers=N         runs only where there are that many brokers (`--brokers`, `--suite brokers`); default 1
    threads=yes       one of those that `--suite threads` runs: many connections, loops and homes at once

Workers run side by side, each with a broker of its own, and take scenarios from one queue. The Java scenarios are one
item of the queue, because they share a JVM.
"""

import fnmatch
import glob
import os
import queue
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
import uuid

from . import toolchain
from .control import Control

ROOT = toolchain.ROOT
TAIL_LINES = 40
DIRECTIVE = re.compile(r"suite:((?:\s+[a-z]+=\S+)+)\s*$")


class Scenario:
    def __init__(self, group, path, text=None):
        self.group = group
        self.path = path
        self.base = os.path.splitext(os.path.basename(path))[0]
        self.name = f"{group}/{self.base}"
        self.timeout = 60
        self.warnings = False
        self.threads = False
        self.brokers = 1
        with open(path, encoding="utf-8") as source:
            for line in (text or source.read()).splitlines()[:30]:
                self._directive(line)

    def _directive(self, line):
        found = DIRECTIVE.search(line)
        for word in found[1].split() if found else ():
            key, _, value = word.partition("=")
            if key == "timeout":
                self.timeout = float(value)
            elif key == "warnings":
                self.warnings = value == "yes"
            elif key == "brokers":
                self.brokers = int(value)
            elif key == "threads":
                self.threads = value == "yes"
            else:
                raise ValueError(f"{self.path}: unknown directive {key}")

    def wanted(self, patterns):
        return not patterns or any(
            fnmatch.fnmatch(self.name, pattern) or self.group == pattern for pattern in patterns
        )


class Outcome:
    """status: ok, FAIL or skip; `detail` is what a person needs to know about it."""

    def __init__(self, status, detail="", output=""):
        self.status = status
        self.detail = detail
        self.output = output


# --- how each group's scenarios are run -----------------------------------------------------------------------------


def _node(scenario):
    return [toolchain.node(), scenario.path]


def _rdkafka(scenario):
    return [toolchain.rdkafka(scenario.path)]


def _confluent(scenario):
    return [toolchain.python(), scenario.path]


def _kcat(scenario):
    toolchain.kcat()
    return ["bash", scenario.path]


def _go(scenario):
    return [toolchain.go(), scenario.base]


class Jvm:
    """One JVM for all Java scenarios: a line `Name` goes in, output and `@done ok|fail` come out."""

    def __init__(self):
        self.process = None

    def start(self, env):
        java, classpath = toolchain.java()
        self.process = subprocess.Popen(
            [java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath, "Main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in env.items() if not key.startswith("KAFKA_")},
        )
        os.set_blocking(self.process.stdout.fileno(), False)

    def run(self, scenario, env):
        if self.process is None or self.process.poll() is not None:
            self.start(env)
        call = f"{scenario.base} {env['BOOTSTRAP']} {env['PREFIX']} {env['CONTROL']} {env['TMPDIR']}\n"
        self.process.stdin.write(call.encode())
        self.process.stdin.flush()
        output = b""
        deadline = time.monotonic() + scenario.timeout
        while True:
            done = re.search(rb"^@done (ok|fail)$", output, re.MULTILINE)
            if done:
                return done[1] == b"ok", output[: done.start()].decode("utf-8", "replace"), "failed"
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.close()
                return False, output.decode("utf-8", "replace"), f"no end after {scenario.timeout:g} s"
            chunk = self.process.stdout.read()
            if chunk == b"":
                self.close()
                return False, output.decode("utf-8", "replace"), "the JVM died"
            output += chunk or b""

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


COMMANDS = {"kafkajs": _node, "rdkafka": _rdkafka, "confluent": _confluent, "kcat": _kcat, "go": _go}
PATTERNS = {
    "kafkajs": "kafkajs/[a-z]*.js",
    "rdkafka": "rdkafka/[a-z]*.c",
    "confluent": "confluent/[a-z]*.py",
    "kcat": "kcat/[a-z]*.sh",
    "go": "go/[a-z]*.go",
    "java": "java/[A-Z]*.java",
}
SHARED = {"rig.js", "rig.c", "rig.py", "rig.sh", "main.go", "rig.go", "Main.java", "Rig.java", "Tool.java", "Interop.java", "Keyed.java"}


def discover(patterns):
    """All wanted scenarios, group by group; the Java ones first, since their lane is the longest."""
    found = []
    for group in sorted(PATTERNS, key=lambda group: (group != "java", group)):
        for path in sorted(glob.glob(os.path.join(ROOT, PATTERNS[group]))):
            if os.path.basename(path) not in SHARED:
                found.append(Scenario(group, path))
    return [scenario for scenario in found if scenario.wanted(patterns)]


_running = set()  # programs under way: ended when the suite itself is


# --- running --------------------------------------------------------------------------------------------------------


def execute(command, env, timeout):
    """Runs a program in a process group of its own. Returns (ok, output, why not)."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=env["TMPDIR"],
            start_new_session=True,
        )
        _running.add(process)
        why = ""
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            why = f"no end after {timeout:g} s"
        finally:
            _kill_group(process)
            _running.discard(process)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if not why and process.returncode != 0:
        why = f"exit status {process.returncode}"
    return not why, text, why


def _kill_group(process):
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait()


class Worker:
    """Takes scenarios from the queue and runs them against its own broker."""

    def __init__(self, suite, number):
        self.suite = suite
        self.directory = os.path.join(suite.directory, f"worker-{number}")
        os.makedirs(self.directory)
        self.broker = suite.make_broker(self.directory)
        self.control = Control(self.broker)
        self.jvm = Jvm()

    def work(self):
        try:
            while True:
                try:
                    lane = self.suite.lanes.get_nowait()
                except queue.Empty:
                    break
                for scenario in lane:
                    self.suite.report(scenario, *self.attempt(scenario))
        finally:
            self.jvm.close()
            self.control.close()
        self.stop_broker()

    def attempt(self, scenario):
        started = time.monotonic()
        try:
            outcome = self.run(scenario)
        except toolchain.Missing as missing:
            outcome = Outcome("FAIL" if self.suite.strict else "skip", str(missing))
        except Exception as error:
            outcome = Outcome("FAIL", f"{type(error).__name__}: {error}", self.broker_tail())
        return outcome, time.monotonic() - started

    def run(self, scenario):
        command = None if scenario.group == "java" else COMMANDS[scenario.group](scenario)
        if scenario.group == "java":
            toolchain.java()
        if not self.broker.running():
            self.broker.start()
        pos = self.broker.log_size()
        own = tempfile.mkdtemp(prefix=f"{scenario.base}-", dir=self.directory)
        env = self.environment(scenario, own)
        try:
            if scenario.group == "java":
                ok, output, why = self.jvm.run(scenario, env)
            else:
                ok, output, why = execute(command, env, scenario.timeout)
        finally:
            shutil.rmtree(own, ignore_errors=True)
        return self.judge(scenario, ok, output, why, pos)

    def judge(self, scenario, ok, output, why, pos):
        if not self.broker.running():
            status = self.broker.process.returncode if self.broker.process else "?"
            return Outcome("FAIL", f"the broker died with {status}", output + self.broker_tail(pos))
        if not ok:
            return Outcome("FAIL", why, output + self.broker_tail(pos))
        complaints = self.broker.complaints(pos)
        if complaints and not scenario.warnings:
            return Outcome("FAIL", "the broker complained", "\n".join(complaints[:TAIL_LINES]))
        return Outcome("ok", "", output)

    def environment(self, scenario, own):
        prefix = re.sub(r"[^A-Za-z0-9]+", "-", scenario.name) + "-" + uuid.uuid4().hex[:6] + "-"
        return {
            **os.environ,
            "BOOTSTRAP": self.broker.bootstrap,
            "PREFIX": prefix,
            "CONTROL": self.control.address,
            "TMPDIR": own,
            "LC_ALL": "C.UTF-8",
            "KAFKAJS_NO_PARTITIONER_WARNING": "1",
            "PYTHONPATH": os.path.join(ROOT, "confluent"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def broker_tail(self, pos=0):
        lines = self.broker.log_since(pos) if self.broker.log_size() else []
        return "\n".join(["", f"-- the broker's log, last of {len(lines)} lines --", *lines[-TAIL_LINES:]])

    def stop_broker(self):
        """The end of the broker is a test too: it stops by SIGTERM, in time, with a good status."""
        started = time.monotonic()
        if self.broker.process is None:
            return
        status = self.broker.stop()
        good = status in self.broker.clean_statuses
        outcome = Outcome("ok") if good else Outcome("FAIL", f"exit status {status}", self.broker_tail())
        self.suite.report(None, outcome, time.monotonic() - started)


class Suite:
    def __init__(self, make_broker, scenarios, jobs, strict, differences, verbose=False):
        self.make_broker = make_broker
        self.strict = strict
        self.verbose = verbose
        self.differences = differences
        self.directory = tempfile.mkdtemp(prefix="odradek-integration-")
        self.lock = threading.Lock()
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}
        self.failed = []
        self.lanes = queue.SimpleQueue()
        java = [scenario for scenario in scenarios if scenario.group == "java"]
        lanes = ([java] if java else []) + [[scenario] for scenario in scenarios if scenario.group != "java"]
        for lane in lanes:
            self.lanes.put(lane)
        self.jobs = max(1, min(jobs, len(lanes)))

    def prepare(self, scenarios):
        """Fetches and builds before the clock of any scenario runs. What fails is told when its scenario comes."""
        for scenario in scenarios:
            try:
                if scenario.group == "java":
                    toolchain.java()
                else:
                    COMMANDS[scenario.group](scenario)
            except (toolchain.Missing, toolchain.Broken):
                pass

    def run(self):
        workers = []
        try:
            workers = [Worker(self, number) for number in range(self.jobs)]
            threads = [threading.Thread(target=worker.work, daemon=True) for worker in workers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            for process in list(_running):
                _kill_group(process)
            for worker in workers:
                worker.jvm.close()
                worker.broker.kill()
            shutil.rmtree(self.directory, ignore_errors=True)
        return self.counts["FAIL"] == 0

    def report(self, scenario, outcome, seconds):
        name = scenario.name if scenario else "broker/stop"
        reason = self.differences.get(name)
        if reason and outcome.status != "skip":
            seen = "as listed" if outcome.status == "FAIL" else "though it passed here"
            outcome = Outcome("skip", f"differs, {seen}: {reason}")
        with self.lock:
            self.counts[outcome.status] += 1
            detail = f": {outcome.detail}" if outcome.detail else ""
            print(f"{outcome.status} {name} ({seconds:.1f} s){detail}", flush=True)
            if outcome.status == "FAIL":
                self.failed.append(name)
            if outcome.output.strip() and (outcome.status == "FAIL" or self.verbose):
                lines = outcome.output.strip("\n").splitlines()
                for line in lines[-2 * TAIL_LINES :]:
                    print(f"    {line}")

    def summary(self):
        for name in sorted(self.failed):
            print(f"# failed: {name}")
        print(f"{self.counts['ok']} passed, {self.counts['FAIL']} failed, {self.counts['skip']} skipped", flush=True)
