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
    """{key: MB of 10^6 bytes}: a fresh broker; one that has the topic and has served a client; under load; afterwards."""
    shared = {"topic": "bench-load", "partitions": 16, "connections": 100, "seconds": seconds}
    few = {**shared, "connections": 2, "seconds": 1}
    seen = {}
    with runner.servers.running("odradek") as server:
        pid = server.process.pid
        time.sleep(1)
        seen["fresh"] = resident_kib(pid)
        runner.loadgen("produce", server, {**few, "record-size": 1000, "batch-size": 65536, "create": True, "mebibytes": 8}, {"case": "memory"})
        runner.loadgen("fetch", server, {**few, "fetch-size": 1048576}, {"case": "memory"})
        time.sleep(SETTLE_SECONDS)
        seen["idle"] = resident_kib(pid)
        commands = [
            runner.command("produce", server, {**shared, "record-size": 1000, "batch-size": 65536}),
            runner.command("fetch", server, {**shared, "fetch-size": 1048576}),
        ]
        load = [subprocess.Popen(commands[0], stdout=subprocess.DEVNULL)]
        load.append(subprocess.Popen(commands[1], stdout=subprocess.DEVNULL))
        seen["peak"] = 0
        while any(process.poll() is None for process in load):
            seen["peak"] = max(seen["peak"], resident_kib(pid))
            time.sleep(SAMPLE_SECONDS)
        time.sleep(SETTLE_SECONDS)
        seen["after"] = resident_kib(pid)
    if any(process.returncode != 0 for process in load):
        raise RuntimeError("a generator failed under load")
    runner.raw.append({"case": "memory", "kib": seen})
    return {key: kib * 1024 / 1e6 for key, kib in seen.items()}
