# SPDX-License-Identifier: BSD-2-Clause
"""A disk whose every sync takes 100 ms, a second, five seconds (a preloaded library sleeps).

Producers with acks=all keep the syncs busy on one topic. Meanwhile, on connections of their own: ApiVersions, Fetch of
records that are in the page cache (also of the very partition that waits for its sync), acks=1 on another partition,
and heartbeats of a group. Each must be answered within 10 ms at the median. The broker's memory stays bounded while
more is sent than the disk takes.
"""

import os
import threading
import time

from rig import Client, Directory, Preloaded, batch, median, metric

DELAYS_MS, DELAYS_SHORT_MS = (100, 1000, 5000), (100, 2000)
SECONDS, SECONDS_SHORT = 12, 3
MEDIAN_MS = 10
MEMORY_MIB = 512  # queued.max.request.bytes has this default
PRODUCERS = 8
DEPTH = 16  # batches in flight per producer
BATCH = 64 * 1024


class Busy:
    """Keeps DEPTH batches in flight, with acks=all."""

    def __init__(self, broker, partition):
        self.client = Client(broker, timeout=60)
        self.partition = partition
        self.data = batch([os.urandom(BATCH)])
        self.acked = 0
        self.codes = set()
        self.stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        flight = 0
        while not self.stop or flight:
            while flight < DEPTH and not self.stop:
                self.client.send_produce("busy", self.partition, self.data)
                flight += 1
            code, _ = self.client.receive_produce()
            self.codes.add(code)
            self.acked += code == 0
            flight -= 1


class Probe:
    """Asks one thing again and again."""

    def __init__(self, name, ask):
        self.name = name
        self.ask = ask
        self.times = []
        self.wrong = []
        self.stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop:
            begun = time.monotonic()
            try:
                good = self.ask()
            except Exception as error:  # pylint: disable=broad-except
                self.wrong.append(repr(error))
                return
            self.times.append(1000 * (time.monotonic() - begun))
            if not good:
                self.wrong.append("a wrong answer")
            time.sleep(0.005)


def probes(broker):
    generation, member = (group := Client(broker, timeout=60)).join("group")
    versions, cached, same, other = (Client(broker, timeout=60) for _ in range(4))
    record = batch([b"x" * 100])
    return [
        Probe("api-versions", lambda: versions.api_versions() == 0),
        Probe("fetch", lambda: len(cached.fetch("calm", 0, 0, 4096)[2]) > 0),
        Probe("fetch-busy", lambda: same.fetch("busy", 0, 0, 1)[0] == 0),
        Probe("acks-1", lambda: other.produce("calm", 1, record, acks=1)[0] == 0),
        Probe("heartbeat", lambda: group.heartbeat("group", generation, member) == 0),
    ]


def at(options, results, directory, delay_ms, seconds):
    broker = Preloaded(directory, options)
    broker.start()
    client = Client(broker)
    client.create_topic("calm", 4)
    client.create_topic("busy", PRODUCERS)
    client.produce("calm", 0, batch([b"y" * 100] * 20))
    client.produce("busy", 0, batch([b"z" * 100]))
    watching = probes(broker)
    time.sleep(0.3)
    broker.page.set("sync_delay_ms", delay_ms)
    producers = [Busy(broker, partition) for partition in range(PRODUCERS)]
    for probe in watching:
        probe.times.clear()
    memory = 0
    deadline = time.monotonic() + max(seconds, 2.5 * delay_ms / 1000)
    while time.monotonic() < deadline:
        time.sleep(0.1)
        memory = max(memory, metric(broker.process.pid, "VmRSS") // 1024)
    for each in watching + producers:
        each.stop = True
    for probe in watching:
        probe.thread.join(30)
        middle, worst = median(probe.times or [1e9]), max(probe.times or [1e9])
        good = middle < MEDIAN_MS and not probe.wrong and not probe.thread.is_alive()
        detail = f"median {middle:.2f} ms, longest {worst:.0f} ms of {len(probe.times)}"
        results.check(good, f"{delay_ms}ms/{probe.name}", detail + "".join(f"; {text}" for text in probe.wrong[:1]))
    broker.page.set("sync_delay_ms", 0)
    for producer in producers:
        producer.thread.join(30)
    acked = sum(producer.acked for producer in producers)
    codes = set().union(*(producer.codes for producer in producers))
    results.check(acked > 0 and codes == {0}, f"{delay_ms}ms/acks-all", f"{acked} batches, codes {sorted(codes)}")
    results.check(memory < MEMORY_MIB, f"{delay_ms}ms/memory", f"{memory} MiB resident at most")
    results.check(broker.stop() == 0, f"{delay_ms}ms/stop")


def run(options, results):
    for delay_ms in DELAYS_SHORT_MS if options.short else DELAYS_MS:
        with Directory() as directory:
            at(options, results, directory, delay_ms, SECONDS_SHORT if options.short else SECONDS)
