# SPDX-License-Identifier: BSD-2-Clause
"""A few requests of the Kafka protocol, spoken directly: what a checker asks a broker behind the back of its clients.

Old, not flexible versions only, that every broker of today still answers. A `Wire` is one connection; whatever goes wrong
with it is an OSError or `Refused`, and the connection is done with.
"""

import socket
import struct


class Refused(Exception):
    """The broker answered with an error code."""

    def __init__(self, what, code):
        super().__init__(f"{what}: error {code}")
        self.code = code


class Writer:
    def __init__(self):
        self.parts = []

    def put(self, layout, *values):
        self.parts.append(struct.pack(">" + layout, *values))
        return self

    def text(self, value):
        data = value.encode()
        return self.put("h", len(data)).raw(data)

    def raw(self, data):
        self.parts.append(data)
        return self

    def array(self, items, write):
        self.put("i", len(items))
        for item in items:
            write(item)
        return self

    def bytes(self):
        return b"".join(self.parts)


class Reader:
    def __init__(self, data):
        self.data = data
        self.pos = 0

    def take(self, size):
        if size > len(self.data) - self.pos:
            raise OSError("the answer is too short")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def get(self, layout):
        values = struct.unpack(">" + layout, self.take(struct.calcsize(">" + layout)))
        return values[0] if len(values) == 1 else values

    def text(self):
        size = self.get("h")
        return None if size < 0 else self.take(size).decode("utf-8", "replace")

    def blob(self):
        size = self.get("i")
        return b"" if size < 0 else self.take(size)

    def array(self, read):
        return [read() for _ in range(self.get("i"))]


class Wire:
    def __init__(self, bootstrap, timeout=5.0, client="odcheck"):
        host, _, port = bootstrap.rpartition(":")
        self.client = client
        self.correlation = 0
        self.socket = socket.create_connection((host, int(port)), timeout)

    def close(self):
        self.socket.close()

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise OSError("the broker closed the connection")
            data += piece
        return data

    def call(self, key, version, body):
        self.correlation += 1
        head = Writer().put("hhi", key, version, self.correlation).text(self.client).bytes()
        frame = head + body.bytes()
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        answer = Reader(self.receive(struct.unpack(">i", self.receive(4))[0]))
        if answer.get("i") != self.correlation:
            raise OSError("an answer to another request")
        return answer

    # --- requests; places are (topic, partition) ---

    def create_topics(self, topics, timeout_ms=20000):
        """topics: name -> partitions. Those that exist already are fine."""
        body = Writer()
        body.array(list(topics.items()), lambda item: body.text(item[0]).put("ihii", item[1], 1, 0, 0))
        body.put("i?", timeout_ms, False)
        answer = self.call(19, 2, body)
        answer.get("i")

        def one():
            name, code, _ = answer.text(), answer.get("h"), answer.text()
            if code not in (0, 36):
                raise Refused(f"topic {name}", code)

        answer.array(one)

    @staticmethod
    def _by_topic(places):
        table = {}
        for topic, partition in places:
            table.setdefault(topic, []).append(partition)
        return list(table.items())

    def list_offsets(self, places, timestamp, committed=False):
        """place -> offset for the timestamp (-1: end, -2: start)."""
        body = Writer().put("ib", -1, 1 if committed else 0)
        body.array(
            self._by_topic(places),
            lambda item: body.text(item[0]).array(item[1], lambda partition: body.put("iq", partition, timestamp)),
        )
        answer = self.call(2, 2, body)
        answer.get("i")
        found = {}

        def topic():
            name = answer.text()

            def one():
                partition, code, _, offset = answer.get("ihqq")
                if code != 0:
                    raise Refused(f"offsets of {name}-{partition}", code)
                found[name, partition] = offset

            answer.array(one)

        answer.array(topic)
        return found

    def epoch_ends(self, places, epoch):
        """place -> (epoch, end offset)."""
        body = Writer()
        body.array(
            self._by_topic(places),
            lambda item: body.text(item[0]).array(item[1], lambda partition: body.put("iii", partition, -1, epoch)),
        )
        answer = self.call(23, 2, body)
        answer.get("i")
        found = {}

        def topic():
            name = answer.text()

            def one():
                code, partition, leader_epoch, end = answer.get("hiiq")
                if code != 0:
                    raise Refused(f"epoch of {name}-{partition}", code)
                found[name, partition] = (leader_epoch, end)

            answer.array(one)

        answer.array(topic)
        return found

    def find_group(self, group):
        """Makes sure that there is a coordinator (some brokers make its topic only when asked)."""
        answer = self.call(10, 1, Writer().text(group).put("b", 0))
        answer.get("i")
        code = answer.get("h")
        if code != 0:
            raise Refused(f"coordinator of {group}", code)

    def committed(self, group, places):
        """place -> committed offset, -1: none."""
        body = Writer().text(group)
        body.array(
            self._by_topic(places),
            lambda item: body.text(item[0]).array(item[1], lambda partition: body.put("i", partition)),
        )
        answer = self.call(9, 2, body)
        found = {}

        def topic():
            name = answer.text()

            def one():
                partition, offset = answer.get("iq")
                answer.text()
                code = answer.get("h")
                if code != 0:
                    raise Refused(f"commits of {group}", code)
                found[name, partition] = offset

            answer.array(one)

        answer.array(topic)
        code = answer.get("h")
        if code != 0:
            raise Refused(f"commits of {group}", code)
        return found

    def describe_group(self, group):
        """(state, member -> places that are assigned to it)."""
        body = Writer()
        body.array([group], body.text)
        answer = self.call(15, 0, body)
        described = []

        def member():
            name = answer.text()
            answer.text(), answer.text(), answer.blob()
            return name, self._assignment(answer.blob())

        def one():
            code, _, state = answer.get("h"), answer.text(), answer.text()
            answer.text(), answer.text()
            if code != 0:
                raise Refused(f"group {group}", code)
            described.append((state, dict(answer.array(member))))

        answer.array(one)
        return described[0]

    @staticmethod
    def _assignment(data):
        if not data:
            return []
        reader = Reader(data)
        reader.get("h")
        places = []

        def topic():
            name = reader.text()
            places.extend((name, partition) for partition in reader.array(lambda: reader.get("i")))

        reader.array(topic)
        return places
