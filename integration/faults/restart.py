# SPDX-License-Identifier: BSD-2-Clause
"""From kill -9 to the first acknowledged produce, with much in the log; and how little of it recovery reads.

The log is filled by bench's load generator with acks=all (so most of it is on the medium, and the recovery point with
it), at the end with acks=1 for a moment (so that there is a tail above it). The clock runs from the start of the
process to the answer of a produce with acks=all. The files are in the page cache or not, as the machine's memory
allows; what recovery reads is counted by the kernel (rchar in /proc/PID/io).
"""

import json
import os
import shutil
import subprocess
import time

from rig import Client, Directory, Odradek, Skip, batch, median

GIB = 1024
# MiB, milliseconds allowed, MiB that recovery may read: what grew since the last checkpoint and since the active segments'
# indexes were saved (up to 32 MiB each, more while a full segment's checksums are being made), and the tail.
SIZES = ((1 * GIB, 200, 200), (10 * GIB, 1000, 512))
SIZES_SHORT = ((256, 200, 200),)
TRIES = 5
BATCH = 16 << 10  # small enough that walking over their headers alone would read the whole log
PARTITIONS = 4


def fill(options, broker, mebibytes, acks):
    command = [options.loadgen, "produce", "--port", str(broker.port), "--topic", "big", "--partitions", str(PARTITIONS)]
    command += ["--acks", acks, "--batch-size", str(BATCH), "--record-size", "1024", "--connections", "4"]
    command += ["--threads", "1", "--depth", "16", "--seconds", "600", "--warmup-ms", "0", "--mebibytes", str(mebibytes)]
    if acks == "all":
        command += ["--create"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"the load generator failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def size_of(path):
    return sum(
        os.path.getsize(os.path.join(directory, name)) for directory, _, names in os.walk(path) for name in names
    )


def read_so_far(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as io:
        return int(dict(line.split(": ") for line in io.read().splitlines())["rchar"])


def once(broker, record):
    """Kills, starts, appends: (milliseconds, bytes read)."""
    broker.kill()
    broker.port = 0
    begun = time.monotonic()
    broker.start()
    client = Client(broker)
    code, _ = client.produce("big", 0, record)
    took = 1000 * (time.monotonic() - begun)
    if code != 0:
        raise RuntimeError(f"the first produce was refused with {code}")
    return took, read_so_far(broker.process.pid)


def at(options, results, mebibytes, allowed_ms, read_mib):
    with Directory() as directory:
        if shutil.disk_usage(directory).free < (mebibytes * 1.3 + 2048) * (1 << 20):
            results.skip(f"{mebibytes}MiB", "there is not enough space on the disk")
            return
        broker = Odradek(directory, options.broker)
        broker.start()
        try:
            fill(options, broker, mebibytes, "all")
            record = batch([b"x" * 1000])
            times = []
            for _ in range(TRIES):
                fill(options, broker, 8, "1")
                times.append(once(broker, record))
            size = size_of(os.path.join(directory, "data"))
            slowest, read = max(took for took, _ in times), max(read for _, read in times)
            middle = median([took for took, _ in times])
            results.check(size >= mebibytes << 20, f"{mebibytes}MiB/size", f"{size >> 20} MiB in the directory")
            results.check(
                middle <= allowed_ms,
                f"{mebibytes}MiB/time",
                f"median {middle:.0f} ms, longest {slowest:.0f} ms of {TRIES}; at most {allowed_ms} ms",
            )
            results.check(read < read_mib << 20, f"{mebibytes}MiB/read", f"recovery read {read >> 20} MiB at most")
        finally:
            broker.kill()


def run(options, results):
    if not os.path.exists(options.loadgen):
        raise Skip("there is no load generator in the build")
    for limits in SIZES_SHORT if options.short else SIZES:
        at(options, results, *limits)
