# SPDX-License-Identifier: BSD-2-Clause
"""Starts and stops the broker under test: odradek, or Apache Kafka as the reference.

A broker owns a directory (data, log, ready file) that the caller made and removes. It listens on a port that the kernel
chose at the first start and keeps that port over restarts, so that clients find it again. It is stopped by its process
id: politely, then with SIGKILL. Everything it prints goes to `broker.log` in its directory.
"""

import os
import signal
import socket
import struct
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 20
CLEANER_BACKOFF_MS = 200  # compaction is to be seen within a scenario


class BrokerError(Exception):
    pass


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def free_ports(count):
    """The first of `count` ports in a row that are free now; the kernel chooses the first."""
    for _ in range(100):
        first = free_port()
        socks = []
        try:
            for port in range(first, min(first + count, 65536)):
                socks.append(socket.socket())
                socks[-1].bind(("127.0.0.1", port))
            if len(socks) == count:
                return first
        except OSError:
            pass  # somebody has one of them
        finally:
            for sock in socks:
                sock.close()
    raise BrokerError(f"no {count} free ports in a row")


class Broker:
    """What the two brokers share. A subclass says how to start one and when it accepts connections."""

    name = "?"
    new_session = True  # signals to the caller's session are not the broker's

    def __init__(self, directory):
        self.directory = directory
        self.port = 0
        self.process = None
        self.log_start = 0
        self.log_path = os.path.join(directory, "broker.log")

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        if self.running():
            raise BrokerError("the broker is running already")
        self.log_start = self.log_size()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment(),
                start_new_session=self.new_session,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None:
                raise BrokerError(f"the broker exited with {self.process.returncode} while starting")
            if time.monotonic() > deadline:
                self.kill()
                raise BrokerError(f"the broker was not ready after {START_SECONDS} s")
            time.sleep(0.005)

    def stop(self):
        """SIGTERM, wait, SIGKILL. Returns the exit status, or None when the broker had to be killed."""
        if not self.running():
            return self.process.returncode if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def restart(self):
        status = self.stop()
        self.start()
        if status not in self.clean_statuses:
            raise BrokerError(f"the broker did not stop cleanly: exit status {status}")

    def environment(self):
        return {key: value for key, value in os.environ.items() if not key.startswith("KAFKA_")}

    def log_size(self):
        try:
            return os.path.getsize(self.log_path)
        except FileNotFoundError:
            return 0

    def log_since(self, pos):
        with open(self.log_path, "rb") as log:
            log.seek(pos)
            return log.read().decode("utf-8", "replace").splitlines()


class Odradek(Broker):
    name = "odradek"
    clean_statuses = (0,)

    def __init__(self, directory, binary, overrides=(), brokers=1):
        super().__init__(directory)
        self.binary = os.path.abspath(binary)
        self.brokers = brokers
        if brokers > 1:
            self.port = free_ports(brokers)
        self.overrides = list(overrides)
        self.ready_path = os.path.join(directory, "ready")

    def command(self):
        if os.path.exists(self.ready_path):
            os.unlink(self.ready_path)
        settings = [
            f"listeners=PLAINTEXT://127.0.0.1:{self.port}",
            f"log.dirs={os.path.join(self.directory, 'data')}",
            "odradek.http.listener=",
            f"log.cleaner.backoff.ms={CLEANER_BACKOFF_MS}",
            f"odradek.virtual.brokers={self.brokers}",
            *self.overrides,
        ]
        command = [self.binary]
        for setting in settings:
            command += ["--override", setting]
        return command + ["--ready-file", self.ready_path]

    def ready(self):
        try:
            with open(self.ready_path, encoding="ascii") as ready:
                lines = ready.read().split()
        except FileNotFoundError:
            return False
        port = int(lines[0].rpartition(":")[2])
        if self.port not in (0, port):
            raise BrokerError(f"asked for port {self.port}, got {port}")
        self.port = port
        return True

    def complaints(self, pos):
        """The warnings and errors it logged since `pos`."""
        return [line for line in self.log_since(pos) if "level=warn" in line or "level=error" in line]


# What Kafka's defaults lack for one broker, and what spares its tests waiting. (`--profile strict` gives the same to odradek.)
ONE_BROKER = (
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=5",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    "group.initial.rebalance.delay.ms=0",
    "group.share.min.record.lock.duration.ms=1000",
)


class Kafka(Broker):
    """Apache Kafka as a single KRaft node that is broker and controller."""

    name = "kafka"
    clean_statuses = (0, 143)

    def __init__(self, directory, java, classpath, overrides=()):
        super().__init__(directory)
        log_config = os.path.join(os.path.dirname(os.path.dirname(__file__)), "java", "kafka-log4j2.properties")
        self.java = [java, "-Xms512m", "-Xmx1g", f"-Dlog4j2.configurationFile={log_config}", "-cp", classpath]
        self.port = free_port()
        self.config_path = os.path.join(directory, "server.properties")
        self.overrides = list(overrides)
        self.formatted = False

    def command(self):
        if not self.formatted:
            self.format()
        return self.java + ["kafka.Kafka", self.config_path]

    def format(self):
        controller = free_port()
        lines = [
            "process.roles=broker,controller",
            "node.id=1",
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names=CONTROLLER",
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            f"log.dirs={os.path.join(self.directory, 'data')}",
            *ONE_BROKER,
            f"log.cleaner.backoff.ms={CLEANER_BACKOFF_MS}",
            *self.overrides,
        ]
        with open(self.config_path, "w", encoding="ascii") as config:
            config.write("\n".join(lines) + "\n")
        cluster_id = "b2RyYWRlay1yZWZlcmVuYw"
        command = self.java + ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self.config_path]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment(), check=False)
        if done.returncode != 0:
            raise BrokerError(f"formatting the reference's storage failed:\n{done.stdout}{done.stderr}")
        self.formatted = True

    def ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        if not any("Kafka Server started" in line for line in self.log_since(self.log_start)):
            return False
        return self.coordinator_ready()

    def coordinator_ready(self):
        """Asks for a group's coordinator (FindCoordinator v0): Kafka makes its offsets topic only when asked."""
        body = struct.pack(">hhih4sh4s", 10, 0, 1, 4, b"warm", 4, b"warm")
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            sock.sendall(struct.pack(">i", len(body)) + body)
            answer = sock.recv(10, socket.MSG_WAITALL)
        return len(answer) == 10 and struct.unpack(">iih", answer)[2] == 0

    def complaints(self, pos):
        return []  # its warnings are its own affair
