#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures the built broker against the floors of this machine and prints one table. Called by script/bench."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TOP, "integration")]

from lib import toolchain  # noqa: E402
from rig import chart, loopback, machine, memory, page  # noqa: E402
from rig.cases import CASES, Runner, median  # noqa: E402
from rig.profile import profile  # noqa: E402
from rig.servers import Servers  # noqa: E402

MEGABYTE = 1e6
GROSS = 2.0  # --short fails when a limit is missed by more than this factor


class Row:
    """A line of the table."""

    def __init__(self, name, title, unit, values, limit=0.0, most=True, short=True):
        self.name, self.title, self.unit, self.values = name, title, unit, values
        self.limit, self.most, self.short = limit, most, short
        self.ratios = []
        if values.get("floor"):
            self.ratios = [ours / floor for ours, floor in zip(values["odradek"], values["floor"])]

    def judged(self):
        """The number that the limit speaks of."""
        return median(self.ratios or self.values["odradek"])

    def verdict(self, factor):
        if not self.limit:
            return ""
        good = self.judged() <= self.limit * factor if self.most else self.judged() >= self.limit / factor
        return "pass" if good else "FAIL"

    def cells(self):
        shown = self.values["odradek"]
        ratio = f"{median(self.ratios):.2f} ({min(self.ratios):.2f}-{max(self.ratios):.2f})" if self.ratios else ""
        floor = f"{median(self.values['floor']):.4g}" if self.ratios else ""
        kafka = f"{median(self.values['kafka']):.4g}" if self.values.get("kafka") else ""
        limit = f"{'<=' if self.most else '>='} {self.limit:g}" if self.limit else ""
        return [self.name, self.unit, f"{median(shown):.4g} ({min(shown):.4g}-{max(shown):.4g})", floor, ratio, kafka, limit]


def start_rows(runner, count):
    samples = runner.start_samples(count)

    def row(name, title, unit, key, scale, limit):
        return Row(name, title, unit, {"odradek": [sample[key] * scale for sample in samples]}, limit)

    size = machine.stripped_size(runner.servers.odradek_path) / MEGABYTE
    return [
        row("start", "fork to first accepted connection, empty directory", "ms", "accept_ms", 1, 20),
        row("start-answer", "fork to first answered request", "ms", "answer_ms", 1, 0),
        row("stop", "SIGTERM to exit", "ms", "stop_ms", 1, 0),
        row("idle-rss", "resident memory, idle", "MB", "rss_kib", 1024 / MEGABYTE, 10),
        Row("binary", "stripped dynamic executable", "MB", {"odradek": [size]}, 2),
    ]


def memory_rows(runner, repeats, seconds):
    samples = [memory.under_load(runner, seconds) for _ in range(repeats)]
    titles = ["idle", "peak, 100 producers and 100 consumers", "3 s after they have left"]
    names = ["memory-idle", "memory-peak", "memory-after"]
    return [Row(name, f"resident memory, {title}", "MB", {"odradek": [sample[i] for sample in samples]})
            for i, (name, title) in enumerate(zip(names, titles))]


def join_row(runner, build, count, with_kafka):
    values = {"odradek": runner.join_samples(build, "odradek", count)}
    if with_kafka:
        values["kafka"] = runner.join_samples(build, "kafka", min(count, 3))
    return Row("join", "librdkafka group: creation to first record", "ms", values, 200)


def print_table(rows, factor):
    head = ["case", "unit", "odradek (min-max)", "floor", "ratio to floor", "kafka", "limit", ""]
    lines = [head] + [[*row.cells(), row.verdict(factor)] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def parse():
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(TOP, "build"), help="build folder with odradek and bench/")
    parser.add_argument("--short", action="store_true", help=f"about two minutes; fails only beyond {GROSS:g} times a limit")
    parser.add_argument("--kafka", action="store_true", help="measure Apache Kafka with the same generator, too")
    parser.add_argument("--only", default="", metavar="NAME,..", help="these cases (a part of a name will do)")
    parser.add_argument("--repeats", type=int, default=0, help="pairs per case")
    parser.add_argument("--seconds", type=int, default=0, help="longest measured time of one run")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="one more broker setting")
    parser.add_argument("--profile", action="store_true", help="no table: perf and strace of the broker in each case")
    parser.add_argument("--page", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    return parser.parse_args()


def wanted(options, name, short=True):
    if options.only:
        return any(part in name for part in options.only.split(","))
    return short or not options.short


def run_cases(options, runner, seconds):
    """Yields rows as they are measured."""
    repeats = options.repeats or (3 if options.short else 5)
    if wanted(options, "start") or wanted(options, "idle-rss") or wanted(options, "binary"):
        yield from start_rows(runner, 5 if options.short else 9)
    for case in CASES:
        if wanted(options, case.name, case.short):
            values = runner.measure(case, repeats, options.kafka)
            yield Row(case.name, case.title, case.unit, values, case.limit, case.most)
    if wanted(options, "memory", short=False):
        yield from memory_rows(runner, min(repeats, 3), seconds)
    if wanted(options, "join"):
        yield join_row(runner, options.build, 5 if options.short else 9, options.kafka)


def save(rows, runner, about):
    folder = os.path.join(HERE, "out")
    path = os.path.join(folder, time.strftime("%Y%m%d-%H%M%S") + ".json")
    table = [{"name": row.name, "title": row.title, "unit": row.unit, "values": row.values, "ratios": row.ratios,
              "limit": row.limit, "most": row.most} for row in rows]
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"machine": about, "rows": table, "runs": runner.raw}, out, indent=1)
    return os.path.relpath(path, TOP)


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped and directories removed on the way out
    if options.list:
        for case in CASES:
            print(f"{case.name:18} {case.title}")
        return 0
    if options.kafka:
        try:
            toolchain.jars()
        except toolchain.Missing as missing:
            print(f"# no Apache Kafka here: {missing}", flush=True)
            options.kafka = False
    os.makedirs(os.path.join(HERE, "out"), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="scratch-", dir=os.path.join(HERE, "out"))
    try:
        about = {**machine.describe(TOP, scratch), "loopback": loopback.enter()}
        print("# " + ", ".join(f"{key}: {value}" for key, value in about.items()), flush=True)
        machine.warm_memory(2048 if options.short else 6144)
        seconds = options.seconds or (2 if options.short else 4)
        servers = Servers(options.build, scratch, options.override)
        runner = Runner(options.build, servers, seconds, 1024 if options.short else 2048)
        rows = []
        if options.profile:
            for case in CASES:
                if wanted(options, case.name):
                    profile(runner, case)
            return 0
        for row in run_cases(options, runner, seconds):
            rows.append(row)
            print("# " + "  ".join(cell for cell in row.cells() if cell), flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    factor = GROSS if options.short else 1.0
    print_table(rows, factor)
    print("raw numbers: " + save(rows, runner, about))
    if options.page:
        command = " ".join(["script/bench", *[word for word in sys.argv[1:] if word != "--page"]])
        page.write(os.path.join(TOP, "docs", "performance.md"), page.text(rows, about, command, factor))
        with open(os.path.join(TOP, "docs", "performance.svg"), "w", encoding="utf-8") as out:
            out.write(chart.chart([row for row in rows if row.ratios], median))
    verdicts = [row.verdict(factor) for row in rows]
    print(f"bench: {verdicts.count('pass')} passed, {verdicts.count('FAIL')} failed")
    return 1 if "FAIL" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
