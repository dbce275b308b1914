# SPDX-License-Identifier: BSD-2-Clause
"""The servers under measurement, each in a directory of its own: odradek, the floors, Apache Kafka.

How the brokers are started is integration/'s business; here are the floors, and one way to hold any of them.
"""

import contextlib
import os
import socket
import subprocess
import tempfile

from lib import toolchain
from lib.broker import Kafka, Odradek

STOP_SECONDS = 10


class Floor:
    """A floor program; `kind` is its first argument."""

    def __init__(self, directory, binary, kind, settings):
        self.command = [binary, kind, "--dir", directory, *settings]
        self.port = 0
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        word, port = self.process.stdout.readline().split()
        assert word == "port"
        self.port = int(port)

    def stop(self):
        self.process.terminate()
        self.process.wait(STOP_SECONDS)
        self.process.stdout.close()


class PlainOdradek(Odradek):
    """In the generator's session, as the floors are: the scheduler shares the cores out by session first, and a server in one of
    its own has to wait for its turn on a machine that does other work, too."""

    new_session = False


class PlainKafka(Kafka):
    """Apache Kafka with the heap and the collector of its own start script; in the same session."""

    new_session = False

    def __init__(self, directory, java, classpath, overrides=()):
        super().__init__(directory, java, classpath, overrides)
        self.java = [java, "-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", classpath]

    def ready(self):
        """Accepts connections; the generator waits for leaders by itself."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False


# What the image's own configuration has where the one for tests differs.
IMAGE_DEFAULTS = ("group.initial.rebalance.delay.ms=3000", "offsets.topic.num.partitions=50", "log.cleaner.backoff.ms=15000")


class Servers:
    """Makes servers below `scratch`."""

    def __init__(self, build, scratch, overrides):
        self.odradek_path = os.path.join(build, "odradek")
        self.floors_path = os.path.join(build, "bench", "floors")
        self.scratch = scratch
        self.overrides = overrides

    @classmethod
    def like(cls, other, overrides):
        """The same servers with other settings of the broker."""
        servers = cls("", other.scratch, overrides)
        servers.odradek_path, servers.floors_path = other.odradek_path, other.floors_path
        return servers

    @contextlib.contextmanager
    def directory(self):
        path = tempfile.mkdtemp(dir=self.scratch)
        try:
            yield path
        finally:
            subprocess.run(["rm", "-rf", path], check=False)  # shutil takes minutes for 100,000 partitions

    @contextlib.contextmanager
    def running(self, subject, floor_kind="", floor_settings=()):
        """A started server: has .port and .process. `subject` is odradek, kafka, kafka-image (with its image's defaults) or floor."""
        with self.directory() as path:
            if subject == "floor":
                server = Floor(path, self.floors_path, floor_kind, list(floor_settings))
            elif subject in ("kafka", "kafka-image"):
                java, classpath = toolchain.jars()
                server = PlainKafka(path, java, classpath, IMAGE_DEFAULTS if subject == "kafka-image" else ())
            else:
                server = PlainOdradek(path, self.odradek_path, self.overrides)
            server.start()
            try:
                yield server
            finally:
                server.stop()
