# SPDX-License-Identifier: BSD-2-Clause
"""The broker's resident memory while a hundred producers and a hundred consumers run at full speed, and after they have left."""

import subprocess
import time

SETTLE_SECONDS = 5
BUDGET_MB = (64 << 20) / 1e6
SAMPLE_SECONDS = 0.05


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def under_load(runner, seconds):
    """(idle, peak, after) in MB of 10^6 bytes."""
    shared = {"topic": "bench-load", "partitions": 16, "connections": 100, "seconds": seconds}
    with runner.servers.running("odradek") as server:
        pid = server.process.pid
        time.sleep(1)
        idle = resident_kib(pid)
        commands = [
            runner.command("produce", server, {**shared, "record-size": 1000, "batch-size": 65536, "create": True}),
            runner.command("fetch", server, {**shared, "fetch-size": 1048576}),
        ]
        load = [subprocess.Popen(commands[0], stdout=subprocess.DEVNULL)]
        time.sleep(0.5)  # the topic is there by then
        load.append(subprocess.Popen(commands[1], stdout=subprocess.DEVNULL))
        peak = 0
        while any(process.poll() is None for process in load):
            peak = max(peak, resident_kib(pid))
            time.sleep(SAMPLE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        after = resident_kib(pid)
    if any(process.returncode != 0 for process in load):
        raise RuntimeError("a generator failed under load")
    runner.raw.append({"case": "memory", "idle_kib": idle, "peak_kib": peak, "after_kib": after})
    return [kib * 1024 / 1e6 for kib in (idle, peak, after)]
