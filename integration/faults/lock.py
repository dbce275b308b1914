# SPDX-License-Identifier: BSD-2-Clause
"""Two brokers on one directory, directories that cannot be used, and signals.

A second broker says why and exits within a second, and not a byte of the directory changes. The same for a directory
that is a file, cannot be written, or belongs to someone else. SIGTERM under load ends within five seconds with status
0 and everything acknowledged there; a second SIGTERM ends at once; SIGHUP is like SIGTERM; SIGPIPE and SIGXFSZ end nothing.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time

from rig import Client, Directory, Odradek, batch

SECOND = 1.0
STOP_SECONDS = 5.0
NOBODY = 65534


def tree_hash(path):
    digest = hashlib.sha256()
    for directory, names, files in sorted(os.walk(path)):
        names.sort()
        for name in sorted(files):
            whole = os.path.join(directory, name)
            stat = os.stat(whole)
            digest.update(f"{os.path.relpath(whole, path)} {stat.st_size} {stat.st_mode} {stat.st_mtime_ns}\n".encode())
            with open(whole, "rb") as file:
                digest.update(file.read())
        digest.update(f"{os.path.relpath(directory, path)}\n".encode())
    return digest.hexdigest()


def refused(options, data, as_nobody=False):
    """Runs a broker over `data` that should not start: (status, seconds, what it printed)."""
    command = [options.broker]
    for setting in ("listeners=PLAINTEXT://127.0.0.1:0", "odradek.http.listener=", f"log.dirs={data}"):
        command += ["--override", setting]
    identity = {"user": NOBODY, "group": NOBODY} if as_nobody else {}
    begun = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, **identity)
    except subprocess.TimeoutExpired:
        return None, 10, "it started"
    return done.returncode, time.monotonic() - begun, done.stdout + done.stderr


def check_refused(results, name, outcome, words):
    status, took, text = outcome
    lines = [line for line in text.splitlines() if "level=error" in line or "error" in line.lower()]
    said = lines[-1] if lines else text.strip()
    good = status not in (None, 0) and status > 0 and took < SECOND and any(word in text for word in words)
    results.check(good, name, f"status {status} after {took:.2f} s: {said[-160:]}")


def second_broker(options, results, directory):
    broker = Odradek(directory, options.broker)
    broker.start()
    client = Client(broker)
    client.create_topic("orders")
    client.produce("orders", 0, batch([b"a", b"b"]))
    data = os.path.join(directory, "data")
    before = tree_hash(data)
    check_refused(results, "second", refused(options, data), ["in use", "lock"])
    results.check(tree_hash(data) == before, "untouched", "not a byte of the directory changed")
    code, _, records = client.fetch("orders", 0, 0)
    results.check((code, len(records)) == (0, 2), "first", "the first broker goes on")
    broker.kill()
    broker.start()
    results.check(True, "stale", "the lock of a killed broker is no obstacle")
    broker.stop()
    return data


def unusable(options, results, directory, data):
    plain = os.path.join(directory, "plain")
    with open(plain, "w", encoding="ascii") as file:
        file.write("not a directory\n")
    check_refused(results, "file", refused(options, plain), ["Not a directory", "not a directory", "File exists"])
    if os.geteuid() != 0:
        results.skip("owner", "only root can start a broker as somebody else")
        return
    os.chmod(directory, 0o755)
    parent = directory
    binary = shutil.copy(options.broker, os.path.join(directory, "broker"))
    other = type("Options", (), {"broker": binary})
    before = tree_hash(data)
    check_refused(results, "owner", refused(other, data, as_nobody=True), ["ermission denied"])
    missing = os.path.join(parent, "missing")
    check_refused(results, "parent", refused(other, missing, as_nobody=True), ["ermission denied"])
    results.check(tree_hash(data) == before, "owner-untouched")
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", data, data], capture_output=True, check=False)
    if mounted.returncode != 0:
        results.skip("read-only", "mounting is not permitted here")
        return
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", data], capture_output=True, check=False)
        check_refused(results, "read-only", refused(options, data), ["ead-only"])
    finally:
        subprocess.run(["umount", data], check=False)
    results.check(tree_hash(data) == before, "read-only-untouched")


class Load:
    """Appends with acks=all until the broker is gone."""

    def __init__(self, broker, partition):
        self.client = Client(broker)
        self.partition = partition
        self.acked = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            for number in range(1 << 30):
                value = b"%d" % number
                code, offset = self.client.produce("load", self.partition, batch([value]))
                if code != 0:
                    return
                self.acked.append((offset, value))
        except OSError:
            pass


def stopping(options, results, directory):
    for name, signals in (
        ("sigterm", [signal.SIGTERM]),
        ("sigterm-twice", [signal.SIGTERM, signal.SIGTERM]),
        ("sighup", [signal.SIGHUP]),
    ):
        own = os.path.join(directory, name)
        os.mkdir(own)
        broker = Odradek(own, options.broker)
        ignored = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup a broker rightly ignores it
        broker.start()
        signal.signal(signal.SIGHUP, ignored)
        client = Client(broker)
        client.create_topic("load", 4)
        loads = [Load(broker, partition) for partition in range(4)]
        time.sleep(0.3)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            broker.process.send_signal(number)
        time.sleep(0.1)
        alive = broker.running()
        begun = time.monotonic()
        for number in signals:
            broker.process.send_signal(number)
        try:
            status = broker.process.wait(2 * STOP_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
        took = time.monotonic() - begun
        broker.kill()
        for load in loads:
            load.thread.join(10)
        good = took < STOP_SECONDS and status in ((0,) if len(signals) == 1 else (0, -signal.SIGTERM))
        results.check(alive and good, name, f"status {status} after {1000 * took:.0f} ms")
        broker.start()
        client = Client(broker)
        lost = count = 0
        for load in loads:
            offset, found = 0, {}
            while True:
                _, watermark, records = client.fetch("load", load.partition, offset, 1 << 20)
                found.update(records)
                offset = records[-1][0] + 1 if records else watermark
                if offset >= watermark:
                    break
            lost += sum(found.get(offset) != value for offset, value in load.acked)
            count += len(load.acked)
        results.check(lost == 0 and count > 0, f"{name}-kept", f"{count} acknowledged, {lost} lost")
        broker.stop()


def run(options, results):
    with Directory() as directory:
        data = second_broker(options, results, directory)
        unusable(options, results, directory, data)
        stopping(options, results, directory)
