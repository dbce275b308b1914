# SPDX-License-Identifier: BSD-2-Clause
"""What the fault programs share: results, brokers under a preloaded library, and a small client that speaks by hand.

The client is synchronous and knows a dozen requests in one old version each. It shares nothing with the broker.
"""

import mmap
import os
import shutil
import socket
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))

from lib.broker import Broker, Odradek  # noqa: E402, F401

STORAGE_ERROR = 56


class Skip(Exception):
    """This machine does not permit it."""


class Results:
    """Counts checks. Each is one line of output."""

    def __init__(self, what):
        self.what = what
        self.passed = self.failed = self.skipped = 0

    def check(self, good, name, detail=""):
        self.passed += bool(good)
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {self.what}/{name}{': ' if detail else ''}{detail}", flush=True)
        return bool(good)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {self.what}/{name}: {why}", flush=True)


class Options:
    def __init__(self, build, short):
        self.build = os.path.abspath(build)
        self.broker = os.path.join(self.build, "odradek")
        self.loadgen = os.path.join(self.build, "bench", "loadgen")
        self.preload = os.path.join(self.build, "integration", "faults", "libfaults.so")
        self.short = short

    def program(self, name):
        return os.path.join(self.build, "integration", "faults", name)


class Directory:
    """A directory of its own that is gone afterwards."""

    def __init__(self, memory=False):
        base = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else None
        self.path = tempfile.mkdtemp(prefix="odradek-faults-", dir=base)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Page:
    """The page that the preloaded library reads: see page.h."""

    FIELDS = {"calls": (0, "Q"), "kill_at": (8, "Q"), "syncs": (16, "Q"), "syncing": (24, "Q")}
    FIELDS.update({"kill_after": (32, "I"), "sync_delay_ms": (36, "I")})

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as file:
            file.truncate(4096)
            self.memory = mmap.mmap(file.fileno(), 4096)

    def get(self, name):
        pos, kind = self.FIELDS[name]
        return struct.unpack_from("=" + kind, self.memory, pos)[0]

    def set(self, name, value):
        pos, kind = self.FIELDS[name]
        struct.pack_into("=" + kind, self.memory, pos, value)


class Preloaded(Odradek):
    """A broker that counts and delays its calls as its page says."""

    def __init__(self, directory, options, overrides=()):
        super().__init__(directory, options.broker, overrides)
        self.preload = options.preload
        self.page = Page(os.path.join(directory, "page"))

    def environment(self):
        return {**super().environment(), "LD_PRELOAD": self.preload, "ODRADEK_FAULTS_PAGE": self.page.path}


# --- the client ---


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def batch(values, key=None):
    """A record batch (format 2) of these values."""
    records = b""
    for number, value in enumerate(values):
        head = varint(-1) if key is None else varint(len(key)) + key
        body = b"\0" + varint(0) + varint(number) + head + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    now = int(time.time() * 1000)
    tail = struct.pack(">hiqqqhii", 0, len(values) - 1, now, now, -1, -1, -1, len(values)) + records
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


class Reader:
    def __init__(self, data):
        self.data = data
        self.pos = 0

    def get(self, kind):
        size = struct.calcsize(">" + kind)
        value = struct.unpack_from(">" + kind, self.data, self.pos)
        self.pos += size
        return value[0] if len(value) == 1 else value

    def bytes(self, size):
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def string(self):
        size = self.get("h")
        return None if size < 0 else self.bytes(size).decode()

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.pos]
            self.pos += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)


class Client:
    def __init__(self, broker, timeout=30):
        self.sock = socket.create_connection(("127.0.0.1", broker.port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.sock.close()

    def send(self, api, version, body):
        head = struct.pack(">hhi", api, version, 0) + string("faults")
        self.sock.sendall(struct.pack(">i", len(head) + len(body)) + head + body)

    def exactly(self, size):
        parts = []
        while size > 0:
            part = self.sock.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError("the broker closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self):
        (size,) = struct.unpack(">i", self.exactly(4))
        return Reader(self.exactly(size)[4:])

    def call(self, api, version, body):
        self.send(api, version, body)
        return self.receive()

    def api_versions(self):
        return self.call(18, 0, b"").get("h")

    def create_topic(self, name, partitions=1, **configs):
        body = struct.pack(">i", 1) + string(name) + struct.pack(">ihii", partitions, 1, 0, len(configs))
        for key, value in configs.items():
            body += string(key.replace("_", ".")) + string(str(value))
        answer = self.call(19, 2, body + struct.pack(">ib", 10000, 0))
        answer.get("ii"), answer.string()
        return answer.get("h")

    def delete_topic(self, name):
        answer = self.call(20, 1, struct.pack(">i", 1) + string(name) + struct.pack(">i", 10000))
        answer.get("ii"), answer.string()
        return answer.get("h")

    def send_produce(self, topic, partition, data, acks=-1):
        """`data` is a batch. With acks=0 there is no answer."""
        body = struct.pack(">hhii", -1, acks, 10000, 1) + string(topic)
        self.send(0, 3, body + struct.pack(">iii", 1, partition, len(data)) + data)

    def receive_produce(self):
        answer = self.receive()
        answer.get("i"), answer.string()
        _, _, code, offset = answer.get("iihq")
        return code, offset

    def produce(self, topic, partition, data, acks=-1):
        """(error code, base offset)"""
        self.send_produce(topic, partition, data, acks)
        return self.receive_produce()

    def fetch(self, topic, partition, offset, size=1 << 20, wait_ms=0):
        """(error code, high watermark, [(offset, value), ...])"""
        body = struct.pack(">iiiibi", -1, wait_ms, 1, size, 0, 1) + string(topic)
        answer = self.call(1, 4, body + struct.pack(">iiqi", 1, partition, offset, size))
        answer.get("ii"), answer.string(), answer.get("ii")
        code, watermark, _ = answer.get("hqq")
        answer.bytes(16 * max(0, answer.get("i")))
        records = answer.bytes(max(0, answer.get("i")))
        return code, watermark, [found for found in unpack(records) if found[0] >= offset]

    def offset_at(self, topic, partition, timestamp=-1):
        body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, timestamp)
        answer = self.call(2, 1, body)
        answer.get("i"), answer.string(), answer.get("ii")
        code, _, offset = answer.get("hqq")
        return offset if code == 0 else -code

    def delete_records(self, topic, partition, offset):
        body = struct.pack(">i", 1) + string(topic) + struct.pack(">iiqi", 1, partition, offset, 10000)
        answer = self.call(21, 0, body)
        answer.get("ii"), answer.string(), answer.get("i")
        return answer.get("iqh")[2]

    def commit(self, group, topic, partition, offset, generation=-1, member="", metadata=""):
        body = string(group) + struct.pack(">i", generation) + string(member) + struct.pack(">qi", -1, 1)
        body += string(topic) + struct.pack(">iiq", 1, partition, offset) + string(metadata)
        answer = self.call(8, 2, body)
        answer.get("i"), answer.string(), answer.get("i")
        return answer.get("ih")[1]

    def committed(self, group, topic, partition):
        body = string(group) + struct.pack(">i", 1) + string(topic) + struct.pack(">ii", 1, partition)
        answer = self.call(9, 1, body)
        answer.get("i"), answer.string(), answer.get("ii")
        return answer.get("q")

    def join(self, group):
        """Joins as the only member and leader. (generation, member id)"""
        body = string(group) + struct.pack(">ii", 30000, 30000) + string("") + string("consumer")
        answer = self.call(11, 1, body + struct.pack(">i", 1) + string("any") + struct.pack(">i", 0))
        code, generation = answer.get("hi")
        answer.string(), answer.string()
        member = answer.string()
        body = string(group) + struct.pack(">i", generation) + string(member)
        code = code or self.call(14, 0, body + struct.pack(">i", 0)).get("h")
        if code != 0:
            raise RuntimeError(f"joining {group}: error {code}")
        return generation, member

    def heartbeat(self, group, generation, member):
        return self.call(12, 0, string(group) + struct.pack(">i", generation) + string(member)).get("h")


def unpack(data):
    """The records of whole, uncompressed batches; their checksums are checked."""
    reader = Reader(data)
    found = []
    while len(data) - reader.pos >= 61:
        base, length = reader.get("qi")
        if length > len(data) - reader.pos:
            break
        end = reader.pos + length
        _, magic, crc = reader.get("ibI")
        if magic != 2 or (length < 1 << 16 and crc32c(data[reader.pos : end]) != crc):
            raise ValueError(f"the batch at offset {base} is damaged")
        count = reader.get("hiqqqhii")[-1]
        for _ in range(count):
            reader.varint(), reader.get("b"), reader.varint()
            offset = base + reader.varint()
            reader.bytes(max(0, reader.varint()))
            size = reader.varint()
            found.append((offset, reader.bytes(max(0, size))))
            reader.varint()
        reader.pos = end
    return found


def median(values):
    return sorted(values)[len(values) // 2]


def metric(pid, name):
    """A number of kB out of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0
