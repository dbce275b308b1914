#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures the built broker against the floors of this machine and prints one table. Called by script/bench."""

import argparse
import contextlib
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
from rig import chart, clients, loopback, loops, machine, memory, page, scale  # noqa: E402
from rig.cases import CASES, Runner, figures, median, pick  # noqa: E402
from rig.profile import profile  # noqa: E402
from rig.servers import Servers  # noqa: E402

MEGABYTE = 1e6
OTHERS = [
    ("start", "start, stop, idle memory, size of the executable"),
    ("memory", "memory under 100 producers and 100 consumers, and afterwards"),
    ("partitions-10000", "10,000 partitions that hold data: creation, restart, kill -9, descriptors, memory"),
    ("partitions-100000", "100,000 partitions: the same"),
    ("loops", "the work that two loops can do, in multiples of what one can"),
    ("clients", "what kafkajs, librdkafka, franz-go and the Java client reach by themselves"),
    ("join", "a librdkafka group, creation to first record"),
]
GROSS = 2.0  # --short fails when a limit is missed by more than this factor


class Row:
    """A line of the table."""

    def __init__(self, name, title, unit, values, limit=0.0, most=True, against=0.0, above=False):
        self.name, self.title, self.unit, self.values = name, title, unit, values
        self.limit, self.most, self.against, self.above = limit, most, against, above
        self.ratios = []
        if values.get("floor"):
            self.ratios = [ours / floor for ours, floor in zip(values["odradek"], values["floor"])]

    def judged(self):
        """The number that the limit speaks of."""
        if self.above:
            return median(ours - floor for ours, floor in zip(self.values["odradek"], self.values["floor"]))
        return median(self.ratios or self.values["odradek"])

    def times_better(self):
        """Than Apache Kafka; 0: not measured."""
        if not self.values.get("kafka"):
            return 0.0
        ours, theirs = median(self.values["odradek"]), median(self.values["kafka"])
        return theirs / ours if self.most else ours / theirs

    def verdict(self, factor):
        if factor > 1 and not self.ratios and self.unit != "MB":
            return ""  # the short form judges ratios and sizes, never a time that other work may have taken
        checks = []
        if self.limit:
            checks.append(self.judged() <= self.limit * factor if self.most else self.judged() >= self.limit / factor)
        if self.against and self.times_better():
            checks.append(self.times_better() >= self.against / factor)
        return "" if not checks else "pass" if all(checks) else "FAIL"

    def limits(self):
        texts = []
        if self.limit:
            texts.append(f"{'floor + ' if self.above else ''}{'<=' if self.most else '>='} {self.limit:g}")
        if self.against:
            texts.append(f"{self.against:g} x Kafka")
        return ", ".join(texts)

    def cells(self):
        shown = self.values["odradek"]
        ratio = f"{median(self.ratios):.2f} ({min(self.ratios):.2f}-{max(self.ratios):.2f})" if self.ratios else ""
        floor = f"{median(self.values['floor']):.4g}" if self.ratios else ""
        kafka = f"{median(self.values['kafka']):.4g} ({self.times_better():.1f}x)" if self.times_better() else ""
        return [self.name, self.unit, f"{median(shown):.4g} ({min(shown):.4g}-{max(shown):.4g})", floor, ratio, kafka, self.limits()]


def case_rows(case, results):
    for figure in figures(case):
        values = {"odradek": [pick(result, figure.metric) * figure.scale for result in results["odradek"]],
                  "floor": [], "kafka": [pick(result, figure.metric) * figure.scale for result in results["kafka"]]}
        if results["floor"] and figure.floor_metric:
            values["floor"] = [pick(result, figure.floor_metric) * figure.scale for result in results["floor"]]
        yield Row(figure.name, figure.title, figure.unit, values, figure.limit, figure.most, figure.against, figure.above)


def start_rows(runner, count):
    samples = runner.start_samples(count)

    def row(name, title, unit, key, scale, limit):
        return Row(name, title, unit, {"odradek": [sample[key] * scale for sample in samples]}, limit)

    size = machine.stripped_size(runner.servers.odradek_path) / MEGABYTE
    return [
        row("start", "fork to first accepted connection, empty directory", "ms", "accept_ms", 1, 20),
        row("start-answer", "fork to first answered request", "ms", "answer_ms", 1, 10),
        row("stop", "SIGTERM to exit", "ms", "stop_ms", 1, 0),
        row("idle-rss", "resident memory, idle", "MB", "rss_kib", 1024 / MEGABYTE, 8),
        Row("binary", "stripped dynamic executable", "MB", {"odradek": [size]}, 2),
    ]


def memory_rows(runner, repeats, seconds):
    samples = [memory.under_load(runner, seconds) for _ in range(repeats)]
    return [
        Row("memory-idle", "resident memory, idle, with a topic of 16 partitions that was used", "MB",
            {"odradek": [sample["idle"] for sample in samples]}),
        Row("memory-peak", "resident memory, peak, 100 producers and 100 consumers", "MB",
            {"odradek": [sample["peak"] for sample in samples]}, memory.BUDGET_MB),
        Row("memory-after", "resident memory 5 s after they have left, in multiples of idle", "times",
            {"odradek": [sample["after"] / sample["idle"] for sample in samples]}, 1.2),
        Row("memory-after-fresh", "the same in multiples of a fresh broker without topics", "times",
            {"odradek": [sample["after"] / sample["fresh"] for sample in samples]}),
    ]


def scale_rows(runner, count):
    sample = scale.partitions(runner, count)
    limits = scale.LIMITS[count]
    return [Row(f"partitions-{count}-{key}", scale.TITLES[key].format(count=f"{count:,}"), scale.UNITS[key],
                {"odradek": [value]}, limits.get(key, 0.0)) for key, value in sample.items()]


def loops_rows(runner, repeats):
    return [Row(name, title, "times", {"odradek": factors}, 1.7, most=False) for name, title, factors in loops.factors(runner, repeats)]


def client_rows(runner, repeats, kafka):
    for name, title, values in clients.throughput(runner, repeats, kafka):
        yield Row(name, title, "MB/s", values, most=False, against=1.0 if kafka else 0.0)


def join_row(runner, build, count, kafka):
    with runner.servers.running("odradek") as server:
        values = {"odradek": runner.join_samples(build, "odradek", server, count)}
    if kafka:
        values["kafka"] = runner.join_samples(build, "kafka", kafka, min(count, 3))
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
    parser.add_argument("--short", action="store_true", help=f"about two minutes; fails only when a ratio or a size is beyond {GROSS:g} times its limit")
    parser.add_argument("--kafka", action="store_true", help="measure Apache Kafka with the same generator, too")
    parser.add_argument("--only", default="", metavar="NAME,..", help="these cases (a part of a name will do)")
    parser.add_argument("--repeats", type=int, default=0, help="pairs per case")
    parser.add_argument("--seconds", type=int, default=0, help="longest measured time of one run")
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE", help="one more broker setting")
    parser.add_argument("--profile", action="store_true", help="no table: perf and strace of the broker in each case")
    parser.add_argument("--page", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--from", dest="files", default="", metavar="FILE,..", help="measure nothing: the table of these saved runs")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    return parser.parse_args()


def wanted(options, name, short=True):
    if options.only:
        return any(part in name for part in options.only.split(","))
    return short or not options.short


def floor_rows(options, runner, repeats, seconds):
    """Yields rows as they are measured: what needs no Apache Kafka beside it."""
    if wanted(options, "start") or wanted(options, "idle-rss") or wanted(options, "binary"):
        yield from start_rows(runner, 5 if options.short or options.kafka else 9)
    for case in CASES:
        if options.kafka and (case.compared() or (case.extra and not options.only)):
            continue
        if wanted(options, case.name, case.short):
            yield from case_rows(case, runner.measure(case, repeats))
    if wanted(options, "memory", short=False):
        yield from memory_rows(runner, min(repeats, 2), seconds)
    if wanted(options, "loops", short=False):
        yield from loops_rows(runner, min(repeats, 2) if options.kafka else repeats)


def peer_rows(options, runner, repeats, kafka):
    """The same, of what is compared with Apache Kafka where that is asked for. It runs from here to the end, and idles while the
    broker is measured: starting it for each run would take longer than all of them."""
    for case in CASES:
        if kafka and case.compared() and wanted(options, case.name, case.short):
            yield from case_rows(case, runner.measure(case, repeats, kafka))
    if wanted(options, "clients", short=False):
        yield from client_rows(runner, min(repeats, 2), kafka)
    if wanted(options, "join"):
        yield join_row(runner, options.build, 5 if options.short or kafka else 9, kafka)


def needs_kafka(options):
    names = [case.name for case in CASES if case.compared()] + ["clients", "join"]
    return options.kafka and any(wanted(options, name) for name in names)


def run_cases(options, runner, seconds):
    repeats = options.repeats or (3 if options.short or options.kafka else 5)
    yield from floor_rows(options, runner, repeats, seconds)
    with contextlib.ExitStack() as stack:
        kafka = stack.enter_context(runner.servers.running("kafka")) if needs_kafka(options) else None
        yield from peer_rows(options, runner, repeats, kafka)
    for count in sorted(scale.LIMITS):  # last: the removal of so many directories would disturb what came after
        if wanted(options, f"partitions-{count}", short=False):
            yield from scale_rows(runner, count)


def save(path, rows, runner, about):
    """After each row, so that a run that is cut off leaves what it had measured."""
    table = [{"name": row.name, "title": row.title, "unit": row.unit, "values": row.values, "ratios": row.ratios,
              "limit": row.limit, "most": row.most, "against": row.against, "above": row.above} for row in rows]
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"machine": about, "command": command_line(), "rows": table, "runs": runner.raw}, out, indent=1)


def load(files):
    """Rows, machine and commands of saved runs; a row that was measured again counts as it was last."""
    rows, about, commands = {}, {}, []
    for path in files:
        with open(path, encoding="utf-8") as saved:
            run = json.load(saved)
        about = about or run["machine"]
        about["load_before"] = max(about["load_before"], run["machine"]["load_before"])
        commands.append(run.get("command", "script/bench"))
        for row in run["rows"]:
            rows[row["name"]] = Row(row["name"], row["title"], row["unit"], row["values"], row["limit"], row["most"],
                                    row["against"], row["above"])
    return list(rows.values()), about, commands


def command_line():
    words = [word for word in sys.argv[1:] if word != "--page"]
    if "--build" in words:
        at = words.index("--build")
        del words[at : at + 2]
    return " ".join(["script/bench", *words])


def write_page(rows, about, commands, factor):
    page.write(os.path.join(TOP, "docs", "performance.md"), page.text(rows, about, commands, factor))
    for name, picture in (("performance.svg", chart.chart([row for row in rows if row.ratios and not row.above], median)),
                          ("performance-kafka.svg", chart.times([row for row in rows if row.times_better()]))):
        with open(os.path.join(TOP, "docs", name), "w", encoding="utf-8") as out:
            out.write(picture)


def main():
    options = parse()
    options.build = os.path.abspath(options.build)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped and directories removed on the way out
    if options.list:
        for case in CASES:
            for figure in figures(case):
                print(f"{figure.name:22} {figure.title}")
        for name, title in OTHERS:
            print(f"{name:22} {title}")
        return 0
    if options.files:
        rows, about, commands = load(options.files.split(","))
        print_table(rows, 1.0)
        if options.page:
            write_page(rows, about, commands, 1.0)
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
        seconds = options.seconds or (2 if options.short or options.kafka else 4)
        servers = Servers(options.build, scratch, options.override)
        runner = Runner(options.build, servers, seconds, 1024 if options.short else 2048)
        rows = []
        if options.profile:
            for case in CASES:
                if wanted(options, case.name):
                    profile(runner, case)
            return 0
        path = os.path.join(HERE, "out", time.strftime("%Y%m%d-%H%M%S") + ".json")
        for row in run_cases(options, runner, seconds):
            rows.append(row)
            save(path, rows, runner, about)
            print("# " + "  ".join(cell for cell in row.cells() if cell), flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    factor = GROSS if options.short else 1.0
    print_table(rows, factor)
    print("raw numbers: " + os.path.relpath(path, TOP))
    if options.page:
        write_page(rows, about, [command_line()], factor)
    verdicts = [row.verdict(factor) for row in rows]
    print(f"bench: {verdicts.count('pass')} passed, {verdicts.count('FAIL')} failed")
    return 1 if "FAIL" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
