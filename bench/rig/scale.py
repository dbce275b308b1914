# SPDX-License-Identifier: BSD-2-Clause
"""What many partitions cost: their creation, restarts, descriptors, memory.

10,000 hold a batch each, 100,000 exist and are empty, as most of the partitions of a test cluster are. `kill` is from a start
after SIGKILL to the first answered request, with what was written just before unsynced.
"""

import os
import socket
import struct
import time

from .memory import resident_kib
from .servers import Servers

TOPIC = "bench-scale"
CREATE_SECONDS = 300
FILES_MAX = 900  # descriptors for segments; the default follows ulimit -n
TOPIC_SIZE_MAX = 10000  # partitions per topic
TITLES = {
    "create": "{count} partitions: CreateTopics, sent to answered",
    "restart": "{count} partitions: start after SIGTERM, fork to first answered request",
    "kill": "{count} partitions: start after kill -9, fork to first answered request",
    "descriptors": "{count} partitions: open descriptors, the most seen",
    "rss": "{count} partitions: resident memory, the most seen",
}
UNITS = {"create": "s", "restart": "s", "kill": "s", "descriptors": "count", "rss": "MB"}
LIMITS = {
    10000: {"kill": 1.0, "restart": 1.0},
    100000: {"create": 60.0, "restart": 5.0, "descriptors": 1023.0, "rss": 250.0},
}
HELD = (10000,)  # these hold data


def text(word):
    return struct.pack(">h", len(word)) + word.encode()


def ask(port, key, version, body):
    frame = struct.pack(">hhi", key, version, 1) + text("bench") + body
    with socket.create_connection(("127.0.0.1", port), CREATE_SECONDS) as sock:
        sock.sendall(struct.pack(">i", len(frame)) + frame)
        size = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))[0]
        return sock.recv(size, socket.MSG_WAITALL)


def create(port, count):
    """Topics of at most TOPIC_SIZE_MAX partitions in one request (CreateTopics v2); returns their names."""
    names = [f"{TOPIC}-{first // TOPIC_SIZE_MAX}" for first in range(0, count, TOPIC_SIZE_MAX)]
    body = struct.pack(">i", len(names))
    for number, name in enumerate(names):
        size = min(TOPIC_SIZE_MAX, count - number * TOPIC_SIZE_MAX)
        body += text(name) + struct.pack(">ihii", size, 1, 0, 0)
    answer = ask(port, 19, 2, body + struct.pack(">ib", CREATE_SECONDS * 1000, 0))
    pos = 12  # correlation id, throttle time, count
    for name in names:
        pos += 2 + len(name)
        error, message = struct.unpack(">hh", answer[pos : pos + 4])
        if error != 0:
            raise RuntimeError(f"CreateTopics answered error {error}")
        pos += 4 + max(message, 0)
    return names


class Watch:
    """The most that was seen of a server's descriptors and memory."""

    def __init__(self, server):
        self.server, self.descriptors, self.rss = server, 0, 0

    def look(self):
        pid = self.server.process.pid
        self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{pid}/fd")))
        self.rss = max(self.rss, resident_kib(pid))


def timed_start(server):
    begun = time.monotonic()
    server.start()
    ask(server.port, 18, 0, b"")
    return time.monotonic() - begun


def partitions(runner, count):
    """{key of TITLES: value}"""
    servers = Servers.like(runner.servers, [*runner.servers.overrides, f"odradek.files.open.max={FILES_MAX}"])
    with servers.running("odradek") as server:
        watch = Watch(server)
        begun = time.monotonic()
        names = create(server.port, count)
        sample = {"create": time.monotonic() - begun}
        watch.look()

        def put():
            for name in names if count in HELD else names[:1]:
                runner.loadgen("produce", server, {"topic": name, "partitions": TOPIC_SIZE_MAX, "record-size": 100, "batch-size": 150,
                                                   "connections": 4, "depth": 8, "warmup-ms": 0, "mebibytes": 3, "seconds": 60},
                               {"case": f"partitions-{count}", "subject": "odradek"})
                watch.look()

        put()
        if server.stop() != 0:
            raise RuntimeError("no clean stop")
        sample["restart"] = timed_start(server)
        watch.look()
        put()
        server.kill()
        sample["kill"] = timed_start(server)
        watch.look()
    sample["descriptors"], sample["rss"] = watch.descriptors, watch.rss * 1024 / 1e6
    runner.raw.append({"case": f"partitions-{count}", "subject": "odradek", "result": sample})
    return sample
