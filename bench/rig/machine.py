# SPDX-License-Identifier: BSD-2-Clause
"""What the numbers were measured on, and the machine's memory made fit for measuring."""

import mmap
import os
import platform
import shutil
import subprocess
import statistics
import tempfile
import time

SYNCS = 400
SYNC_SIZE = 1100  # bytes: a batch of one record of 1 KiB
WARM_STEP = 1 << 20


def first_line(path, prefix):
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith(prefix):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "?"


def output_of(*command, cwd=None):
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return (done.stdout + done.stderr).strip() if done.returncode == 0 else "?"


def describe(top, scratch):
    return {
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "file_system": output_of("stat", "-f", "-c", "%T", scratch),
        "compiler": output_of("cc", "--version").split("\n")[0],
        "commit": output_of("git", "rev-parse", "--short", "HEAD", cwd=top),
        "load_before": os.getloadavg()[0],
    }


def warm_memory(mebibytes):
    """Touches that much memory and gives it back.

    On a virtual machine the first touch of a page that the guest has never used costs the host a fault, several times what
    writing to it costs later. Whoever ran first would pay for it; so we do, before anybody is measured.
    """
    available = int(first_line("/proc/meminfo", "MemAvailable").split()[0]) >> 10
    size = min(mebibytes, available // 2) << 20
    step = b"\1" * WARM_STEP
    with mmap.mmap(-1, size) as memory:
        for pos in range(0, size - WARM_STEP + 1, WARM_STEP):
            memory[pos : pos + WARM_STEP] = step


def stripped_size(binary):
    """Bytes of the executable without symbols."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "binary")
        shutil.copyfile(binary, copy)
        if output_of("strip", copy) == "?":
            return os.path.getsize(binary)
        return os.path.getsize(copy)


def sync_us(folder):
    """Microseconds that an append of one small batch and a sync of it take, one after the other."""
    batch, times = b"\1" * SYNC_SIZE, []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            begun = time.perf_counter_ns()
            os.write(file.fileno(), batch)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter_ns() - begun) / 1000)
    return {"p50": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98]}
