#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the users of groups wait for, in the dev profile and in Apache Kafka with its image's defaults, in the same run; and ten
thousand members. Called by script/groups; docs/groups.md is its page."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TOP, "integration")]

from lib import toolchain  # noqa: E402
from lib.broker import BrokerError  # noqa: E402
from rig import machine, page  # noqa: E402
from rig.servers import Servers  # noqa: E402

MARK = "script/groups --page"
WANTED = 5.0  # times faster than Apache Kafka
GROSS = 2.0  # the short form fails beyond this multiple of a limit
CLIENT_SECONDS = 900
MEMBERS = 10000
PARTITIONS = 64
MEMBERS_LIMIT_MS = 10000
MEMBER_LIMIT_KIB = 16  # at most, while they are there; their connections included
LEFT_LIMIT_KIB = 48 << 10  # what may be left of all of them: the groups, and the allocator's reserves

# name -> (title, client, what it is asked for, times, times in the short form, milliseconds it may take without Kafka beside it).
# The last is a fifth of what Kafka's and kafkajs' own defaults make it wait there: 3 s before a new group's first generation,
# 5 s in a fetch, 30 s for a killed member; a small test meets the first two.
TIMES = {
    "first": ("first join of a new group to its first record", "kafkajs", "first", 9, 3, 3000 / WANTED),
    "first-rdkafka": ("the same", "librdkafka", "first", 9, 3, 3000 / WANTED),
    "disconnect": ("`consumer.disconnect()`", "kafkajs", "disconnect", 9, 3, 5000 / WANTED),
    "rejoin": ("a member is killed; its successor's start to its first record", "kafkajs", "rejoin", 5, 1, 30000 / WANTED),
    "suite": ("a small test: create a topic, produce, consume from a fresh group, disconnect", "kafkajs", "suite", 50, 5, 8000 / WANTED),
}
CROWDS = {
    "classic-one": ("one classic group", "classic", MEMBERS),
    "classic-many": ("1,000 classic groups of ten", "classic", 10),
    "consumer-one": ("one group of the consumer protocol", "consumer", MEMBERS),
    "consumer-many": ("1,000 groups of ten of the consumer protocol", "consumer", 10),
}


class Line:
    """One line of a table and whether it is as wanted."""

    def __init__(self, name, cells, checks, sample):
        self.name, self.cells, self.good, self.sample = name, cells, all(checks), sample

    def row(self):
        return [f"`{self.name}`", *self.cells, "pass" if self.good else "FAIL"]


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CLIENT_SECONDS,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(command[0])}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def waits(options, server, name, count):
    """Milliseconds, `count` times."""
    _, client, what, *_ = TIMES[name]
    address = f"127.0.0.1:{server.port}"
    if client == "librdkafka":
        program = os.path.join(options.build, "bench", "group_join")
        return [sample["first_record_ms"] for sample in run([program, address, "groups-join", str(count)])]
    command = [toolchain.node(), os.path.join(HERE, "clients", "groups.js"), address, what, str(count)]
    return [sample["ms"] for sample in run(command, {"NODE_PATH": os.path.join(toolchain.ROOT, "node_modules")})]


def show(values):
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def time_line(options, name, brokers):
    title, client, _, full, short, limit_ms = TIMES[name]
    count = short if options.short else full
    found = {subject: waits(options, server, name, count) for subject, server in brokers.items()}
    ours = statistics.median(found["odradek"])
    if "kafka" in found:
        times = statistics.median(found["kafka"]) / ours
        cells = [f"{title}, {client}", str(count), show(found["odradek"]), show(found["kafka"]), f"{times:.1f}", f">= {WANTED:g} times faster"]
        checks = [times >= WANTED / (GROSS if options.short else 1)]
    else:
        cells = [f"{title}, {client}", str(count), show(found["odradek"]), "", "", f"<= {limit_ms:g} ms"]
        checks = [ours <= limit_ms * (GROSS if options.short else 1)]
    return Line(name, cells, checks, found)


def crowd_line(options, name):
    title, protocol, size = CROWDS[name]
    with options.servers.running("odradek") as server:
        command = [os.path.join(options.build, "bench", "members"), f"127.0.0.1:{server.port}", str(server.process.pid),
                   protocol, str(MEMBERS), str(size), str(PARTITIONS)]
        (found,) = run(command)
    each = (found["peak_kib"] - found["idle_kib"]) / MEMBERS
    left = found["left_kib"] - found["idle_kib"]
    factor = GROSS if options.short else 1
    checks = [found["settled_ms"] <= MEMBERS_LIMIT_MS * factor, each <= MEMBER_LIMIT_KIB, left <= LEFT_LIMIT_KIB]
    megabytes = [f"{found[key] / 1024:.0f}" for key in ("idle_kib", "connected_kib", "peak_kib", "settled_kib", "left_kib")]
    return Line(name, [title, f"{found['settled_ms'] / 1000:.1f}", *megabytes, f"{each:.1f}"], checks, found)


def measure_times(options):
    names = [name for name in TIMES if wanted(options, name)]
    if not names:
        return []
    with options.servers.running("odradek") as odradek:
        if options.no_kafka or options.short:
            return [told(time_line(options, name, {"odradek": odradek})) for name in names]
        with options.servers.running("kafka-image") as kafka:
            brokers = {"odradek": odradek, "kafka": kafka}
            waits(options, kafka, "suite", 2)  # the JVM warms up, and the offsets topic is made
            return [told(time_line(options, name, brokers)) for name in names]


def told(line):
    print("# " + "  ".join(line.row()), flush=True)
    return line


def wanted(options, name):
    return not options.only or any(part in name for part in options.only.split(","))


TIME_HEAD = ["case", "what", "times", "odradek, ms", "Apache Kafka, ms", "times faster", "wanted", ""]
CROWD_HEAD = ["case", "10,000 members in", "stable after, s", "idle, MiB", "connected", "peak", "stable", "left", "KiB a member", ""]


def text(times, crowds, about):
    """The page's section."""
    section = "\n    script/groups\n\n" + ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items()) + ".\n\n"
    for head, lines in ((TIME_HEAD, times), (CROWD_HEAD, crowds)):
        if lines:
            section += page.table(head, [line.row() for line in lines]) + "\n"
    return section


def parse():
    parser = argparse.ArgumentParser(prog="script/groups", description=__doc__)
    parser.add_argument("--build", default=os.path.join(TOP, "build"), help="build folder with odradek and bench/")
    parser.add_argument("--short", action="store_true", help=f"half a minute, odradek alone: fails beyond {GROSS:g} times a limit")
    parser.add_argument("--no-kafka", action="store_true", help="without Apache Kafka: a fifth of its defaults' waits is the limit")
    parser.add_argument("--only", default="", metavar="NAME,..", help="these cases (a part of a name will do)")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="one more broker setting")
    parser.add_argument("--page", action="store_true", help="write the tables into docs/groups.md")
    return parser.parse_args()


def main():
    options = parse()
    os.makedirs(os.path.join(HERE, "out"), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="scratch-", dir=os.path.join(HERE, "out"))
    about = machine.describe(TOP, scratch)
    options.servers = Servers(options.build, scratch, options.override)
    try:
        times = measure_times(options)
        crowds = [told(crowd_line(options, name)) for name in CROWDS if wanted(options, name)]
    except (RuntimeError, BrokerError, toolchain.Missing, subprocess.TimeoutExpired) as error:
        print(f"{error}\ngroups: 0 passed, 1 failed")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    section = text(times, crowds, about)
    print(section, end="")
    if options.page:
        page.write(os.path.join(TOP, "docs", "groups.md"), section, MARK)
    good = [line.good for line in times + crowds]
    print(f"groups: {good.count(True)} passed, {good.count(False)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
