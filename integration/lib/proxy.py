# SPDX-License-Identifier: BSD-2-Clause
"""A proxy between clients and the broker that holds requests back and repeats them, as a network with memory does.

A client that bootstraps here stays here: the broker's address in answers is replaced by the proxy's (a host of
the same length, so the bytes keep theirs). Requests are forwarded frame by frame. What scenarios may ask for (lib/control.py, `proxy ...`):

    address         where it listens
    record          forgets what was recorded and records from now on the requests that belong to transactions
    hold KEY        the next request of this kind is kept and its connection closed: the client sees a lost connection and
                    asks again on a new one, while the first request is still on its way
    release         delivers what is held, on a connection of its own; says how often
    replay [KEY,..] sends what was recorded (of these kinds) once more, in order, each on a connection of its own; says how many
                    were answered
    add TOPIC       AddPartitionsToTxn for TOPIC [0] as the producer of the recorded EndTxn (under transactions v2 clients no
                    longer send it); says which error code came
    forget          neither records nor holds

Failure modes: a connection that breaks on one side is closed on the other. A request that the broker does not answer
within SECONDS counts as not answered.
"""

import socket
import struct
import threading

SECONDS = 10
PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 0, 24, 25, 26, 28
TRANSACTIONAL = {PRODUCE, ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS}


def receive(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return bytes(data)


def receive_frame(sock):
    return receive(sock, struct.unpack(">i", receive(sock, 4))[0])


def send_frame(sock, frame):
    sock.sendall(struct.pack(">i", len(frame)) + frame)


def key_of(frame):
    return struct.unpack(">h", frame[:2])[0]


class EndTxn:
    """What a recorded EndTxn says; versions 3 and above."""

    def __init__(self, frame):
        self.version = struct.unpack(">h", frame[2:4])[0]
        at = 8 + 2 + max(0, struct.unpack(">h", frame[8:10])[0])
        if self.version < 3 or frame[at] != 0:
            raise ValueError(f"EndTxn v{self.version} is not understood")
        size = frame[at + 1] - 1
        at += 2
        self.transactional_id = frame[at : at + size]
        self.producer_id, self.epoch, self.committed = struct.unpack(">qh?", frame[at + size : at + size + 11])


class Proxy:
    def __init__(self, broker):
        self.broker = broker
        self.lock = threading.Lock()
        self.recording = False
        self.recorded = []
        self.holding = None
        self.held = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self.listener.close()

    # --- forwarding ---

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.broker.port), SECONDS)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.pump_answers, args=(server, client), daemon=True).start()
        try:
            while True:
                frame = receive_frame(client)
                if self.keep(frame):
                    break
                send_frame(server, frame)
        except OSError:
            pass
        self.shut(client, server)

    def pump_answers(self, server, client):
        port, proxied = struct.pack(">i", self.broker.port), b"127.0.0.1" + struct.pack(">i", self.port)
        try:
            while True:
                answer = receive_frame(server)
                for host in (b"127.0.0.1", b"localhost"):  # both have nine letters
                    answer = answer.replace(host + port, proxied)
                send_frame(client, answer)
        except OSError:
            self.shut(client, server)

    @staticmethod
    def shut(*sockets):
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def keep(self, frame):
        """Records it; true: it is held, and its connection is to be closed."""
        with self.lock:
            key = key_of(frame)
            if self.recording and key in TRANSACTIONAL:
                self.recorded.append(frame)
            if self.holding != key:
                return False
            self.holding = None
            self.held.append(frame)
            return True

    # --- what may be asked for ---

    def deliver(self, frame):
        """The answer, or None."""
        try:
            with socket.create_connection(("127.0.0.1", self.broker.port), SECONDS) as sock:
                send_frame(sock, frame)
                return receive_frame(sock)
        except OSError:
            return None

    def obey(self, words):
        verb = words[0] if words else ""
        if verb == "address":
            return self.address
        with self.lock:
            if verb == "record":
                self.recording, self.recorded = True, []
                return ""
            if verb == "hold":
                self.holding = int(words[1])
                return ""
            if verb == "forget":
                self.recording, self.holding, self.recorded, self.held = False, None, [], []
                return ""
            held, recorded = list(self.held), list(self.recorded)
        if verb == "release":
            with self.lock:
                self.held = []
            return str(sum(self.deliver(frame) is not None for frame in held))
        if verb == "replay":
            keys = {int(key) for key in words[1].split(",")} if len(words) > 1 else TRANSACTIONAL
            return str(sum(self.deliver(frame) is not None for frame in recorded if key_of(frame) in keys))
        if verb == "add":
            return str(self.add_partition(recorded, words[1].encode()))
        raise ValueError(f"unknown word {verb!r}")

    def add_partition(self, recorded, topic):
        end = EndTxn([frame for frame in recorded if key_of(frame) == END][-1])
        head = struct.pack(">hhih", ADD_PARTITIONS, 3, 77, -1) + b"\0"
        body = bytes([len(end.transactional_id) + 1]) + end.transactional_id + struct.pack(">qh", end.producer_id, end.epoch)
        body += b"\x02" + bytes([len(topic) + 1]) + topic + b"\x02" + struct.pack(">i", 0) + b"\0\0"
        answer = self.deliver(head + body)
        if answer is None:
            raise ValueError("AddPartitionsToTxn was not answered")
        # correlation, tags, throttle, [topic, [partition, error, tags], tags], tags
        at = 4 + 1 + 4 + 1 + 1 + len(topic) + 1 + 4
        return struct.unpack(">h", answer[at : at + 2])[0]
