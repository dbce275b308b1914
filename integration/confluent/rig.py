# SPDX-License-Identifier: BSD-2-Clause
"""What the scenarios of the current librdkafka share: clients whose complaints are kept, names, waiting, control."""

import logging
import os
import socket
import time

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

WAIT = 30
complaints = []


class _Keep(logging.Handler):
    def emit(self, record):
        line = f"{record.levelname} {record.getMessage()}"
        print(line, flush=True)
        if record.levelno >= logging.WARNING:
            complaints.append(line)


_log = logging.getLogger("clients")
_log.addHandler(_Keep())
_log.setLevel(logging.INFO)


def name(suffix):
    return os.environ["PREFIX"] + suffix


def _settings(more):
    return {
        "bootstrap.servers": os.environ["BOOTSTRAP"],
        "logger": _log,
        "error_cb": lambda error: complaints.append(str(error)),
        **{key.replace("_", "."): value for key, value in more.items()},
    }


def producer(**more):
    return Producer(_settings(more))


def consumer(group, **more):
    return Consumer(_settings({"group.id": group, "auto.offset.reset": "earliest", **more}))


def admin():
    return AdminClient(_settings({}))


def until(what, condition, seconds=WAIT):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(0.01)
    return value


def create_topic(topic, partitions=1, config=None):
    client = admin()
    client.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(WAIT)
    until("the topic", lambda: topic in client.list_topics(timeout=WAIT).topics)
    return topic


def read(reader, count, seconds=WAIT):
    """The next `count` records of a consumer, as messages."""
    records = []
    deadline = time.monotonic() + seconds
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came in {seconds} s"
        message = reader.poll(0.2)
        if message is not None:
            assert message.error() is None, message.error()
            records.append(message)
    return records


def control(word):
    host, _, port = os.environ["CONTROL"].rpartition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(word.encode() + b"\n")
        answer = sock.makefile().readline().strip()
    assert answer == "ok", f"control {word}: {answer}"
