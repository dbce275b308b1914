# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 before and after every mutating file call of a scripted run, and again inside the recoveries (sweep.c).

Two sweeps at a time, each over its own share of the calls. The long form takes every call; the short one a sample, for
about 40 seconds.
"""

import json
import os
import random
import subprocess
import time

from rig import Directory

ROUNDS = 110  # of the script: more than 5,000 calls
CALLS_MIN = 5000
WORKERS = 2
SHORT_SECONDS = 30
SHORT_CHUNK = 20  # calls per worker between two looks at the clock


class Sweep:
    def __init__(self, options, directory):
        self.command = [options.program("sweep"), options.broker, options.preload, directory, str(ROUNDS)]

    def count(self):
        return int(subprocess.run([*self.command, "count"], capture_output=True, text=True, check=True).stdout)

    def sabotaged(self, calls):
        """How often it is noticed (as lost, or as damage) that bytes are missing, of two times per call."""
        command = [*self.command, "sabotage"]
        done = [subprocess.run([*command, str(call)], capture_output=True, text=True, check=False) for call in calls]
        return sum(run.stdout.count("VIOLATION") for run in done)

    def start(self, calls):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("".join(f"{call}\n" for call in calls))
        self.process.stdin.close()

    def finish(self):
        """Its report; violations are printed as they are."""
        report = None
        for line in self.process.stdout:
            if line.startswith("{"):
                report = json.loads(line)
            else:
                print(line, end="", flush=True)
        self.process.wait()
        return report or {"violations": 1, "runs": 0}


def shares(count, short):
    """The calls of each round of work, one list per worker."""
    if not short:
        yield [list(range(1 + worker, count + 1, WORKERS)) for worker in range(WORKERS)]
        return
    deadline = time.monotonic() + SHORT_SECONDS
    calls = random.sample(range(1, count + 1), count)
    while time.monotonic() < deadline and len(calls) >= WORKERS * SHORT_CHUNK:
        yield [calls[i * SHORT_CHUNK : (i + 1) * SHORT_CHUNK] for i in range(WORKERS)]
        calls = calls[WORKERS * SHORT_CHUNK :]


def run(options, results):
    with Directory(memory=True) as directory:
        workers = []
        for number in range(WORKERS):
            path = os.path.join(directory, str(number))
            os.mkdir(path)
            workers.append(Sweep(options, path))
        count = workers[0].count()
        results.check(count >= CALLS_MIN, "script", f"{count} mutating calls without a kill")
        total = {}
        for share in shares(count, options.short):
            for worker, calls in zip(workers, share):
                worker.start(calls)
            for worker in workers:
                for key, value in worker.finish().items():
                    whole = key.startswith("start_") or key.startswith("recovery_")
                    total[key] = max(total.get(key, 0), value) if whole else total.get(key, 0) + value
        results.check(total["violations"] == 0, "violations", f"{total['violations']} in {total['runs']} runs")
        results.check(total["failed_starts"] == 0, "starts", f"{total['failed_starts']} failed")
        results.check(
            total["kills"] > total["runs"] * 0.9 and total["nested"] > total["kills"],
            "kills",
            f"{total['kills']} in the script, {total['nested']} in recoveries at {total['recovery_points']} different "
            f"calls of up to {total['recovery_calls']}; restart {total['start_ms_p50']:.1f} ms, "
            f"p99 {total['start_ms_p99']:.1f} ms",
        )
        # Not always: the log may have been empty then, or the batch not acknowledged.
        calls = [count * part // 8 for part in range(2, 8)]
        caught = workers[0].sabotaged(calls)
        results.check(caught >= len(calls), "sabotage", f"a byte cut off a log was noticed {caught} times of {2 * len(calls)}")
        if total["violations"]:
            keep = f"{directory}.kept"
            os.rename(directory, keep)
            print(f"left in {keep}")
