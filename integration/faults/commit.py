# SPDX-License-Identifier: BSD-2-Clause
"""What acks=all costs: group commit at 32 producers, one sync for a single synchronous one.

Throughput of 32 connections with acks=all against acks=1, in turns, the best of each. A single producer that waits for
each answer: syncs per acknowledgement (counted), and the time against that of a round trip with acks=1 plus a write
and fdatasync on the same disk, measured in between.
"""

import json
import os
import subprocess
import time

from rig import Directory, Preloaded, Skip, median

TURNS, TURNS_SHORT = 5, 3
SECONDS, SECONDS_SHORT = 3, 1
SHARE_MIN, SHARE_SHORT_MIN = 0.70, 0.35  # the short form is for gross regressions: other steps' writes are still on their way
SINGLE_MAX, SINGLE_SHORT_MAX = 1.10, 5.0
SYNCS = 400
MANY = {"partitions": 8, "connections": 32, "depth": 64, "batch-size": 4096, "record-size": 1000}
ONE = {"partitions": 1, "connections": 1, "depth": 1, "batch-size": 1024, "record-size": 1000}


def load(options, broker, acks, seconds, **shape):
    command = [options.loadgen, "produce", "--port", str(broker.port), "--topic", f"t{acks}-{shape['connections']}"]
    command += ["--create", "--acks", acks, "--threads", "1", "--seconds", str(seconds), "--warmup-ms", "200"]
    for key, value in shape.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


def device_sync_us(directory):
    """The median of appending a kilobyte and fdatasync."""
    path, times = os.path.join(directory, "probe"), []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    for _ in range(SYNCS):
        begun = time.monotonic()
        os.write(fd, b"x" * 1100)
        os.fdatasync(fd)
        times.append(1e6 * (time.monotonic() - begun))
    os.close(fd)
    return median(times)


def throughput(options, results, broker, turns, seconds):
    best = {"1": 0.0, "all": 0.0}
    syncs = acked = 0
    for _ in range(turns):
        for acks in best:
            before = broker.page.get("syncs")
            report = load(options, broker, acks, seconds, **MANY)
            best[acks] = max(best[acks], report["requests_per_s"])
            if acks == "all":
                syncs += broker.page.get("syncs") - before
                acked += report["requests"]
    share = best["all"] / best["1"]
    results.check(
        share >= (SHARE_SHORT_MIN if options.short else SHARE_MIN),
        "group",
        f"acks=all {best['all']:.0f}/s, acks=1 {best['1']:.0f}/s: {100 * share:.0f} %; "
        f"{acked / max(1, syncs):.0f} requests per sync",
    )


def single(options, results, broker, directory, turns, seconds):
    best = {"1": 1e9, "all": 1e9, "sync": 1e9}
    syncs = acked = 0
    for _ in range(turns):
        best["sync"] = min(best["sync"], device_sync_us(directory))
        for acks in ("1", "all"):
            before = broker.page.get("syncs")
            report = load(options, broker, acks, seconds, **ONE)
            best[acks] = min(best[acks], report["latency_us"]["p50"])
            if acks == "all":
                syncs += broker.page.get("syncs") - before
                acked += report["requests"] * (seconds * 1000 + 200) / (seconds * 1000)
    results.check(
        syncs <= 1.1 * acked + 20, "single-syncs", f"{syncs} syncs for about {acked:.0f} acknowledgements"
    )
    floor = best["1"] + best["sync"]
    results.check(
        best["all"] <= (SINGLE_SHORT_MAX if options.short else SINGLE_MAX) * floor,
        "single-time",
        f"median {best['all']:.0f} us; acks=1 {best['1']:.0f} us and a sync {best['sync']:.0f} us: "
        f"{best['all'] / floor:.2f} of that",
    )


def run(options, results):
    if not os.path.exists(options.loadgen):
        raise Skip("there is no load generator in the build")
    turns, seconds = (TURNS_SHORT, SECONDS_SHORT) if options.short else (TURNS, SECONDS)
    with Directory() as directory:
        broker = Preloaded(directory, options)
        broker.start()
        try:
            throughput(options, results, broker, turns, seconds)
            single(options, results, broker, directory, turns, seconds)
        finally:
            broker.kill()
