# SPDX-License-Identifier: BSD-2-Clause
"""Fill-and-free cycles of a small tmpfs.

In odd cycles the broker's own topic fills the disk and DeleteRecords frees it; in even ones a foreign file takes what
is left but for SPARE_KIB, and goes away. While the disk is full, records are read, offsets committed and a topic deleted; when
there is room again, the first produce must be accepted within a second, with nobody doing anything but trying.
"""

import os
import subprocess
import time
from contextlib import contextmanager

from rig import STORAGE_ERROR, Client, Directory, Odradek, Skip, batch, median

CYCLES, CYCLES_SHORT = 100, 10
DISK_MIB = 24
VALUE = os.urandom(192 * 1024)
KEPT_MIB = 8  # of the topic, in cycles that a foreign file fills
RESUME_SECONDS = 1.0
PATIENCE_SECONDS = 10
SPARE_KIB = 256  # much less than what the broker holds in reserve for commits and deletions
SETTLE_SECONDS = 1.5  # in every third cycle: the broker has looked at the free space by itself
COMMITS = 20  # with metadata that grows, so that they need pages of the disk


@contextmanager
def small_disk(path):
    disk = os.path.join(path, "disk")
    os.mkdir(disk)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        raise Skip("mounting a tmpfs is not permitted here")
    try:
        yield disk
    finally:
        for _ in range(50):
            if subprocess.run(["umount", disk], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)


def take_all(path):
    """A foreign file that takes what is left but for a little."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
        file.truncate(max(0, file.tell() - (SPARE_KIB << 10)))


class Cycles:
    def __init__(self, broker, disk):
        self.broker = broker
        self.disk = disk
        self.client = Client(broker)
        self.data = batch([VALUE])
        self.end = 0  # the next offset
        self.start = 0
        self.faults = []
        self.resumed = []
        self.reads = []
        self.commits = self.commits_good = self.deletions = self.deletions_good = self.refused = 0
        self.foreign = False

    def fault(self, text):
        if len(self.faults) < 10:
            print(f"     cycle {len(self.resumed) + 1}{' (foreign file)' if self.foreign else ''}: {text}", flush=True)
        self.faults.append(text)

    def produce(self):
        code, offset = self.client.produce("data", 0, self.data)
        if code == 0:
            if offset != self.end:
                self.fault(f"appended at {offset}, the end was {self.end}")
            self.end = offset + 1
        elif code != STORAGE_ERROR:
            self.fault(f"refused with {code}")
        return code

    def fill(self, until):
        """Appends until `until()` or a refusal."""
        deadline = time.monotonic() + 4 * PATIENCE_SECONDS
        while not until():
            if self.produce() != 0:
                self.refused += 1
                return
            if time.monotonic() > deadline:
                self.fault("it never was full")
                return

    def read(self, offset):
        begun = time.monotonic()
        code, _, records = self.client.fetch("data", 0, offset, 1 << 18)
        self.reads.append(time.monotonic() - begun)
        if code != 0 or not records or records[0] != (offset, VALUE):
            self.fault(f"read at {offset}: error {code}, {len(records)} records")

    def while_full(self, number):
        for offset in (self.start, (self.start + self.end) // 2, self.end - 1):
            self.read(offset)
        for metadata in range(COMMITS):
            self.commits += 1
            code = self.client.commit("group", "data", 0, self.end, metadata="m" * 100 * metadata)
            good = code == 0 and self.client.committed("group", "data", 0) == self.end
            self.commits_good += good
            if not good:
                self.fault(f"committing an offset: error {code}")
        self.deletions += 1
        code = self.client.delete_topic(f"small-{number}")
        self.deletions_good += code == 0
        if code != 0:
            self.fault(f"deleting a topic: error {code}")

    def resume(self, begun):
        while self.produce() != 0:
            if time.monotonic() - begun > PATIENCE_SECONDS:
                self.fault("it did not resume")
                break
            time.sleep(0.01)
        self.resumed.append(time.monotonic() - begun)
        if self.resumed[-1] > RESUME_SECONDS:
            self.fault(f"it resumed after {self.resumed[-1]:.2f} s")

    def trim(self):
        """Everything but the last few records goes."""
        before = max(self.start, self.end - 8)
        code = self.client.delete_records("data", 0, before)
        if code != 0:
            self.fault(f"deleting records: error {code}")
        self.start = before

    def cycle(self, number):
        code = self.client.create_topic(f"small-{number}")
        if code != 0:
            self.fault(f"creating a topic: error {code}")
        self.client.produce(f"small-{number}", 0, batch([b"a record"]))
        self.foreign = number % 2 == 0
        filler = os.path.join(self.disk, "filler")
        if self.foreign:
            self.fill(lambda: (self.end - self.start) * len(VALUE) > KEPT_MIB << 20)
            take_all(filler)
        self.fill(lambda: False)
        if number % 3 == 0:
            time.sleep(SETTLE_SECONDS)
        self.while_full(number)
        if self.foreign:
            begun = time.monotonic()
            os.unlink(filler)
        else:
            self.trim()
            begun = time.monotonic()
        self.resume(begun)
        if self.foreign:
            self.trim()
        for offset in range(self.start, self.end):
            self.read(offset)


def run(options, results):
    cycles = CYCLES_SHORT if options.short else CYCLES
    with Directory(memory=True) as directory, small_disk(directory) as disk:
        broker = Odradek(directory, options.broker, ["offsets.topic.num.partitions=2"])
        broker.overrides.append(f"log.dirs={os.path.join(disk, 'data')}")
        broker.start()
        try:
            work = Cycles(broker, disk)
            work.client.create_topic("data", segment_bytes=1 << 20, file_delete_delay_ms=0)
            for number in range(1, cycles + 1):
                work.cycle(number)
            report(results, work, cycles, broker)
        finally:
            broker.kill()



def report(results, work, cycles, broker):
    slow = max(work.resumed)
    results.check(
        len(work.resumed) == cycles and slow <= RESUME_SECONDS,
        "resume",
        f"{len(work.resumed)} cycles, {work.refused} refusals; median {median(work.resumed):.2f} s, longest {slow:.2f} s",
    )
    results.check(
        not any(text.startswith("read") for text in work.faults),
        "reads",
        f"{len(work.reads)} while full and after, longest {1000 * max(work.reads):.0f} ms",
    )
    results.check(work.commits_good == work.commits, "commits", f"{work.commits_good} of {work.commits} while full")
    results.check(work.deletions_good == work.deletions, "deletions", f"{work.deletions_good} of {work.deletions}")
    results.check(not work.faults, "faults", f"{len(work.faults)} in all, {work.end} records acknowledged")
    results.check(broker.stop() == 0, "stop")
