# SPDX-License-Identifier: BSD-2-Clause
"""Power loss on real file systems: ext4 and xfs on a loop device over a file that records (disk.c).

A broker runs on the file system while producers, commits and topics come; with each acknowledgement the length of the
recording is noted. A state is a prefix of the recording that ends anywhere, of which the writes behind the last flush
are all there, or only some of them, or torn at 512 bytes. It is mounted as it is, the broker is started on it, and
everything that was acknowledged (acks=all) before that point must be there; records with acks=1 must be a prefix of
what was sent.

Then the medium fails: writes of record data, or flushes, end with EIO. The broker is killed, the file system mounted
anew (so nothing of the page cache is left), and again all acknowledged records must be there, and no other value at
their offsets.
"""

import mmap
import os
import random
import shutil
import struct
import subprocess
import threading
import time

from rig import Client, Directory, Odradek, Skip, batch

FILE_SYSTEMS = {"ext4": ("mkfs.ext4", ["-q", "-F", "-b", "4096"], 64), "xfs": ("mkfs.xfs", ["-q", "-f"], 320)}
STATES, STATES_SHORT = 100, 16  # per file system
FAILURES, FAILURES_SHORT = 12, 2
LOAD_SECONDS, LOAD_SHORT_SECONDS = 4, 1.5
MARKER = b"faults-payload"
HEAD = struct.Struct("=cQI")


def sh(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def mounted(image, point):
    """Mounts an image. Returns the loop device."""
    loop = sh("losetup", "-f", "--show", image).stdout.strip()
    try:
        sh("mount", loop, point)
    except RuntimeError:
        sh("losetup", "-d", loop, check=False)
        raise
    return loop


def unmount(point, loop=None):
    for _ in range(100):
        if sh("umount", point, check=False).returncode == 0:
            break
        time.sleep(0.05)
    if loop:
        sh("losetup", "-d", loop, check=False)


class Disk:
    """A recording disk with a file system on it, mounted at `point`."""

    def __init__(self, options, directory, kind):
        self.directory = directory
        maker, arguments, mebibytes = FILE_SYSTEMS[kind]
        self.image, self.log = os.path.join(directory, "image"), os.path.join(directory, "log")
        self.base = os.path.join(directory, "base")
        self.fuse, self.point = os.path.join(directory, "fuse"), os.path.join(directory, "mnt")
        os.makedirs(self.fuse), os.makedirs(self.point)
        with open(self.image, "wb") as image:
            image.truncate(mebibytes << 20)
        sh(maker, *arguments, self.image)
        sh("cp", "--sparse=always", self.image, self.base)
        page = os.path.join(directory, "page")
        with open(page, "wb") as file:
            file.truncate(4096)
        self.process = subprocess.Popen([options.program("disk"), self.fuse, self.image, self.log, page])
        with open(page, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)
        deadline = time.monotonic() + 10
        while not os.path.exists(os.path.join(self.fuse, "disk")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Skip("a FUSE file system cannot be mounted here")
            time.sleep(0.01)
        self.loop = None
        self.mount()

    def mount(self):
        self.loop = mounted(os.path.join(self.fuse, "disk"), self.point)

    def unmount(self):
        unmount(self.point, self.loop)

    def log_size(self):
        return struct.unpack_from("=Q", self.page, 0)[0]

    def fail(self, marked=0, flushes=0):
        struct.pack_into("=II", self.page, 8, marked, flushes)

    def failed(self):
        return struct.unpack_from("=I", self.page, 16)[0]

    def close(self):
        self.fail()
        if self.loop:
            self.unmount()
        sh("umount", self.fuse, check=False)
        self.process.terminate()
        self.process.wait(10)


class Load:
    """A producer. `acked` has (offset, value, length of the recording)."""

    def __init__(self, broker, disk, topic, partition, acks):
        self.broker, self.disk = broker, disk
        self.topic, self.partition, self.acks = topic, partition, acks
        self.acked, self.sent, self.refused = [], [], 0
        self.stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client = None
        for number in range(1 << 30):
            if self.stop:
                return
            value = b"%s %s-%d %d " % (MARKER, self.topic.encode(), self.partition, number)
            value += b"." * (number * 37 % 700)
            self.sent.append(value)
            try:
                client = client or Client(self.broker, timeout=10)
                code, offset = client.produce(self.topic, self.partition, batch([value]), self.acks)
            except OSError:
                client = None
                self.refused += 1
                time.sleep(0.02)
                continue
            if code == 0:
                self.acked.append((offset, value, self.disk.log_size()))
            else:
                self.refused += 1
                time.sleep(0.02)


class Recording:
    """A broker on a recording disk, and what it acknowledged."""

    def __init__(self, options, directory, kind, *settings):
        self.disk = Disk(options, directory, kind)
        self.broker = Odradek(directory, options.broker, [*overrides(self.disk.point), *settings])
        self.loads = []
        self.commits = []
        self.topics = []
        self.checked = 0

    def run(self, seconds, fail=None):
        self.broker.start()
        client = Client(self.broker)
        for topic, partitions in (("all", 2), ("one", 1)):
            code = client.create_topic(topic, partitions, segment_bytes=20000, file_delete_delay_ms=0)
            assert code == 0, code
            self.topics.append((topic, self.disk.log_size()))
        self.loads = [Load(self.broker, self.disk, "all", partition, -1) for partition in range(2)]
        self.loads.append(Load(self.broker, self.disk, "one", 0, 1))
        deadline = time.monotonic() + seconds
        if fail:
            threading.Timer(seconds / 3, self.disk.fail, kwargs=fail).start()
        number = 0
        while time.monotonic() < deadline:
            number += 1
            if client.commit("group", "all", 0, number) == 0:
                self.commits.append((number, self.disk.log_size()))
            if number % 10 == 0 and client.create_topic(f"topic-{number}") == 0:
                self.topics.append((f"topic-{number}", self.disk.log_size()))
            time.sleep(0.01)
        self.finish()

    def finish(self):
        for load in self.loads:
            load.stop = True
        for load in self.loads:
            load.thread.join(15)

    def judge(self, broker, bound, everything=False):
        """What is wrong with what this broker holds, given that the recording had this length."""
        client = Client(broker)
        wrong = []
        for topic, at in self.topics:
            if at <= bound and client.offset_at(topic, 0) < 0:
                wrong.append(f"topic {topic} is gone")
        for load in self.loads:
            required = [entry for entry in load.acked if entry[2] <= bound]
            if client.offset_at(load.topic, load.partition) < 0:
                if required and load.acks != 1:
                    wrong.append(f"{load.topic}-{load.partition} cannot be read")
                continue
            wrong += self.judge_log(client, load, required if load.acks == -1 else [], everything)
        due = max([number for number, at in self.commits if at <= bound], default=-1)
        if client.committed("group", "all", 0) < due:
            wrong.append(f"the committed offset is {client.committed('group', 'all', 0)}, acknowledged {due}")
        client.close()
        return wrong

    def judge_log(self, client, load, required, retried):
        name = f"{load.topic}-{load.partition}"
        found, offset, wrong = {}, 0, []
        while True:
            code, watermark, records = client.fetch(load.topic, load.partition, offset, 1 << 22)
            if code != 0:
                return [f"{name} at {offset}: error {code}"]
            for at, value in records:
                if at != offset:
                    return [f"{name}: a hole at {offset}"]
                found[at] = value
                offset = at + 1
            if offset >= watermark:
                break
        self.checked += len(required)
        for offset, value, _ in required:
            if found.get(offset) != value:
                wrong.append(f"{name}: acknowledged at {offset} and lost: {value[:40]!r}")
        known = {value: number for number, value in enumerate(load.sent)}
        order = [known.get(value, -1) for _, value in sorted(found.items())]
        if -1 in order:
            wrong.append(f"{name}: a value that was never sent")
        if order != sorted(set(order)) or (not retried and order != list(range(len(order)))):
            wrong.append(f"{name}: not in the order of sending, or with a hole")
        return wrong

    def close(self):
        self.finish()
        self.broker.kill()
        self.disk.close()


def overrides(point):
    return [f"log.dirs={os.path.join(point, 'data')}", "offsets.topic.num.partitions=1", "log.cleaner.enable=false"]


def entries(path):
    """(kind, offset, size, place of the bytes, end) of each entry of a recording."""
    result, pos = [], 0
    size = os.path.getsize(path)
    with open(path, "rb") as log:
        while pos + HEAD.size <= size:
            log.seek(pos)
            kind, offset, length = HEAD.unpack(log.read(HEAD.size))
            end = pos + HEAD.size + length
            result.append((kind, offset, length, pos + HEAD.size, end))
            pos = end
    return result


class Replay:
    """Makes states of a recording, each further on than the one before."""

    def __init__(self, options, recording, directory, chooser):
        self.options, self.recording, self.directory = options, recording, directory
        self.chooser = chooser
        self.entries = entries(recording.disk.log)
        self.log = open(recording.disk.log, "rb")
        self.base = open(recording.disk.base, "r+b")
        self.applied = 0  # entries
        self.point = os.path.join(directory, "state-mnt")
        self.image = os.path.join(directory, "state")
        os.makedirs(self.point)

    def write(self, image, entry, keep=None):
        self.log.seek(entry[3])
        data = self.log.read(entry[2])
        image.seek(entry[1])
        image.write(data if keep is None else data[:keep])

    def state(self, count, how):
        """The image after `count` entries."""
        flushed = max((i + 1 for i in range(self.applied, count) if self.entries[i][0] == b"F"), default=self.applied)
        for entry in self.entries[self.applied : flushed]:
            if entry[0] == b"W":
                self.write(self.base, entry)
        self.base.flush()
        self.applied = max(self.applied, flushed)
        sh("cp", "--sparse=always", self.recording.disk.base, self.image)
        late = [entry for entry in self.entries[self.applied : count] if entry[0] == b"W"]
        with open(self.image, "r+b") as image:
            for entry in late:
                if how == "prefix" or self.chooser.random() < 0.5:
                    self.write(image, entry)
                elif how == "torn":
                    self.write(image, entry, 512 * self.chooser.randrange(entry[2] // 512 + 1))

    def judge(self, count, how):
        self.state(count, how)
        bound = self.entries[count - 1][4]
        try:
            loop = mounted(self.image, self.point)
        except RuntimeError as error:
            return [f"it cannot be mounted: {error}"]
        broker = Odradek(self.directory, self.options.broker, overrides(self.point))
        try:
            broker.start()
            return self.recording.judge(broker, bound)
        except Exception as error:  # pylint: disable=broad-except
            return [f"{type(error).__name__}: {error}", *broker.log_since(broker.log_start)[-3:]]
        finally:
            broker.kill()
            unmount(self.point, loop)


def power_loss(options, results, kind, *settings):
    """With odradek.acks.all=written, which promises nothing here, loss must show: else the states mean nothing."""
    with Directory(memory=True) as directory:
        recording = Recording(options, directory, kind, *settings)
        try:
            recording.run(LOAD_SHORT_SECONDS if options.short else LOAD_SECONDS)
            recording.broker.kill()
            end = recording.disk.log_size()
        finally:
            recording.close()
        chooser = random.Random(os.urandom(8))
        replay = Replay(options, recording, directory, chooser)
        first = next(i for i, entry in enumerate(replay.entries) if entry[4] >= recording.topics[0][1])
        last = max(i for i, entry in enumerate(replay.entries) if entry[4] <= end)
        points = sorted(chooser.choices(range(first + 1, last + 1), k=STATES_SHORT if options.short else STATES))
        bad = 0
        for number, count in enumerate(points):
            how = ("prefix", "subset", "torn")[number % 3]
            wrong = replay.judge(count, how)
            bad += bool(wrong)
            for text in wrong[: 0 if settings else 3]:
                print(f"     {kind} {how} of {count} entries: {text}", flush=True)
        acked = sum(len(load.acked) for load in recording.loads)
        flushes = sum(entry[0] == b"F" for entry in replay.entries)
        if settings:
            results.check(bad > 0, f"{kind}/canary", f"{bad} of {len(points)} states lost what was only written")
            return
        results.check(
            bad == 0,
            f"{kind}/states",
            f"{bad} of {len(points)} bad; {len(replay.entries)} entries, {flushes} flushes, {acked} acknowledged",
        )
        results.check(recording.checked > len(points), f"{kind}/meaning", f"{recording.checked} records were due")


def failing(options, results, kind):
    """Writes of record data, or flushes, fail once or a few times."""
    cases = [("write", 1), ("flush", 1000), ("write", 3), ("write", 1000)]
    if kind == "xfs":  # ext4 may call a sync good whose journal a single failed flush has just ended
        cases.append(("flush", 1))
    for number in range(FAILURES_SHORT if options.short else FAILURES):
        what, count = cases[number % len(cases)]
        with Directory(memory=True) as directory:
            recording = Recording(options, directory, kind)
            disk = recording.disk
            try:
                recording.run(1.2, {"marked": count} if what == "write" else {"flushes": count})
                failed = disk.failed()
                recording.broker.kill()
                disk.fail()
                disk.unmount()
                disk.mount()
                recording.broker.start()
                wrong = recording.judge(recording.broker, disk.log_size(), everything=True)
            except Exception as error:  # pylint: disable=broad-except
                wrong = [f"{type(error).__name__}: {error}"]
            finally:
                recording.close()
            acked = sum(len(load.acked) for load in recording.loads)
            refused = sum(load.refused for load in recording.loads)
            results.check(
                not wrong and failed > 0,
                f"{kind}/fail-{what}-{count}",
                f"{failed} failed, {acked} acknowledged, {refused} refused" + "".join(f"; {x}" for x in wrong[:2]),
            )


def run(options, results):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        raise Skip("it takes root, /dev/fuse and loop devices")
    if not os.path.exists(options.program("disk")):
        raise Skip("the recording disk was not built (libfuse3-dev)")
    if sh("losetup", "-f", check=False).returncode != 0:
        raise Skip("there are no loop devices")
    for kind, (maker, *_) in FILE_SYSTEMS.items():
        if shutil.which(maker) is None:
            results.skip(kind, f"{maker} is not installed")
            continue
        power_loss(options, results, kind)
        if not options.short:
            power_loss(options, results, kind, "odradek.acks.all=written")
        failing(options, results, kind)
