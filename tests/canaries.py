# SPDX-License-Identifier: BSD-2-Clause
"""Proves that the tests find bugs: each canary of src/base/canary.h is switched on, and its catcher has to fail.

    python3 tests/canaries.py BUILD [--only NUMBER,..] [--long] [--find]

A catcher is a test program (`store/test_commit`) of the canary build, or `sim`, the simulator's crash states for some seconds.
It must pass with no canary on, otherwise its failures prove nothing; then it is run once for each canary that it has to
catch; where a canary has several catchers, each has to. A catcher that does not end in time has caught its canary, too:
in the ordinary run it would have failed.

--find   runs every test program for each canary and names those that catch it
--long   afterwards the workload checker (integration/check) against the broker with each canary that real clients can meet
"""

import argparse
import concurrent.futures
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT_SECONDS = 60  # with no canary on; with one, ten times what it took without, and at least LEAST_SECONDS
LEAST_SECONDS = 8
SIM_SECONDS = 4
ROW = re.compile(r'^\s*X\(\s*(\d+),\s*(\w+),\s*"(\w+)",\s*"([^"]+)",\s*"([^"]+)"\)', re.MULTILINE)
# What a run of real clients with kills can tell from outside; the rest needs a power loss, a damaged file, a request from the
# past, or a look inside.
SEEN_BY_CLIENTS = {
    "DUPLICATE_APPENDED", "LSO_AHEAD", "ABORTED_FORGOTTEN", "NO_MARKER", "COMMIT_UNWRITTEN", "WRONG_OFFSET",
}


class Canary:
    def __init__(self, row):
        number, self.name, self.module, catchers, self.what = row
        self.number = int(number)
        self.catchers = catchers.split()

    def __str__(self):
        return f"{self.number} {self.name} ({self.what})"


def table():
    with open(os.path.join(TOP, "src", "base", "canary.h"), encoding="utf-8") as header:
        canaries = [Canary(row) for row in ROW.findall(header.read())]
    numbers = [canary.number for canary in canaries]
    if len(canaries) < 20 or len(set(numbers)) != len(numbers):
        sys.exit(f"src/base/canary.h: {len(canaries)} canaries, numbers {numbers}")
    sources = glob.glob(os.path.join(TOP, "src", "**", "*.c"), recursive=True)
    used = set()
    for path in sources:
        with open(path, encoding="utf-8") as source:
            used.update(re.findall(r"\bcanary\((\w+)\)", source.read()))
    gone = [canary.name for canary in canaries if canary.name not in used]
    if gone:
        sys.exit(f"src/base/canary.h: nothing in src asks for {', '.join(gone)}")
    return canaries


def programs(build):
    """Test name -> (command, environment)."""
    listed = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    found = {
        test["name"]: (test["cmd"], test["env"])
        for test in json.loads(listed)
        if "odradek:unit" in test["suite"] and "/" in test["name"]
    }
    simulator = os.path.join(build, "tests", "sim", "sim")
    found["sim"] = ([simulator, "states", "--seconds", str(SIM_SECONDS), "--jobs", "1"], {})
    return found


def end_session(session):
    """Ends the program and whatever it forked: check gives each test a process group of its own."""
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rpartition(")")[2].split()
            if entry.isdigit() and int(fields[3]) == session:
                os.kill(int(entry), signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            continue


def run(program, number, limit=LIMIT_SECONDS):
    """None: it passed. Otherwise how it failed."""
    command, env = program
    process = subprocess.Popen(
        command,
        env={**os.environ, **env, "ODRADEK_CANARY": str(number)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end_session(process.pid)
        process.communicate()
        return f"no end after {limit:.0f} s"
    bad = re.search(rb"^not ok.*$", output, re.MULTILINE)
    if bad:
        return bad[0].decode("utf-8", "replace")[:150]
    bad = re.search(rb"^VIOLATION .*$", output, re.MULTILINE)
    if bad and process.returncode != 0:
        return bad[0].decode("utf-8", "replace")[:150]
    ended = re.search(rb"^1\.\.(\d+)|^states: \d+ passed", output, re.MULTILINE)
    if process.returncode != 0 or not ended:
        return f"ended with {process.returncode}"
    return None


def timed(program):
    started = time.monotonic()
    return run(program, 0), time.monotonic() - started


def hunt(canaries, tests, jobs):
    """Runs the catchers; returns (caught, missed)."""
    catchers = sorted({catcher for canary in canaries for catcher in canary.catchers})
    unknown = [name for name in catchers if name not in tests]
    if unknown:
        sys.exit(f"src/base/canary.h names catchers that are no unit tests: {', '.join(unknown)}")
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        clean = {name: pool.submit(timed, tests[name]) for name in catchers}
        limits = {name: max(LEAST_SECONDS, 10 * trial.result()[1]) for name, trial in clean.items()}
        trials = {
            (canary, name): pool.submit(run, tests[name], canary.number, limits[name])
            for canary in canaries
            for name in canary.catchers
        }
    sick = {name for name, trial in clean.items() if trial.result()[0] is not None}
    for name in sorted(sick):
        print(f"FAIL {name} fails without a canary, too: {clean[name].result()[0]}")
    caught = missed = 0
    for canary in canaries:
        hows = {name: trials[canary, name].result() for name in canary.catchers}
        good = all(how is not None and name not in sick for name, how in hows.items())
        caught, missed = caught + good, missed + (not good)
        for name, how in hows.items():
            print(f"{'ok' if good else 'FAIL'} canary {canary}: {name}: {how or 'passed, though it must not'}")
    return caught, missed


def find(canaries, tests, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        clean = {name: pool.submit(run, tests[name], 0) for name in tests}
        trials = {(canary, name): pool.submit(run, tests[name], canary.number) for canary in canaries for name in tests}
        for canary in canaries:
            names = [name for name in tests if trials[canary, name].result() and not clean[name].result()]
            print(f"{canary}: {' '.join(names) or 'NOBODY'}", flush=True)


def check(canaries, build):
    """The workload checker against each canary that it can see."""
    caught = missed = 0
    for canary in canaries:
        if canary.name not in SEEN_BY_CLIENTS:
            continue
        command = [os.path.join(TOP, "integration", "check", "run"), "--short", "--seconds", "20", "--kills", "6"]
        command += ["--seed", str(canary.number), "--broker", os.path.join(build, "odradek")]
        done = subprocess.run(
            command, env={**os.environ, "ODRADEK_CANARY": str(canary.number)}, capture_output=True, text=True, check=False
        )
        found = re.search(r"^VIOLATION .*$", done.stdout, re.MULTILINE)
        good = found is not None and done.returncode != 0
        caught, missed = caught + good, missed + (not good)
        tail = found[0][:150] if found else (done.stdout.strip().splitlines() or ["nothing said"])[-1]
        print(f"{'ok' if good else 'FAIL'} canary {canary}: check: {tail}", flush=True)
    return caught, missed


def main():
    parser = argparse.ArgumentParser(description="Switches each seeded bug on and wants its catcher to fail.")
    parser.add_argument("build", help="a build directory made with -Dcanaries=true")
    parser.add_argument("--only", default="", metavar="NUMBER,..")
    parser.add_argument("--long", action="store_true", help="also with real clients")
    parser.add_argument("--find", action="store_true", help="which test programs catch which canary")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    wanted = {int(number) for number in options.only.split(",") if number}
    canaries = [canary for canary in table() if not wanted or canary.number in wanted]
    tests = programs(options.build)
    started = time.monotonic()
    if options.find:
        find(canaries, tests, options.jobs)
        return 0
    caught, missed = hunt(canaries, tests, options.jobs)
    if options.long:
        more, less = check(canaries, options.build)
        caught, missed = caught + more, missed + less
    print(f"# {time.monotonic() - started:.0f} s")
    print(f"{caught} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
