# SPDX-License-Identifier: BSD-2-Clause
"""What is measured. A case gives a number per subject; most compare the broker with a floor program in pairs, A B A B.

Ratios are always broker : floor of one pair, run right after one another, so that what else the machine does hits both.
"""

import dataclasses
import itertools
import json
import os
import statistics
import subprocess

from . import machine
from .servers import Servers

MEBIBYTE = 1 << 20


@dataclasses.dataclass
class Case:
    name: str
    title: str
    metric: str  # key of the generator's result
    unit: str
    mode: str  # of the generator
    settings: dict  # options of the generator
    floor: str = ""  # kind of the floor program
    floor_settings: tuple = ()
    floor_load: dict = dataclasses.field(default_factory=dict)  # what the generator does otherwise towards it
    fill: dict = dataclasses.field(default_factory=dict)  # a produce run before, unmeasured
    scale: float = 1.0  # metric to unit
    limit: float = 0.0  # of the ratio (with a floor) or of the value
    most: bool = True  # the limit is the most it may be; otherwise the least
    short: bool = True  # part of --short
    extra: bool = False  # no part of --kafka, which has twelve minutes
    against: float = 0.0  # --kafka: at least this many times better than Apache Kafka
    floor_mode: str = ""  # of the generator towards the floor, where it is another one
    floor_metric: str = ""
    above: bool = False  # the limit is of the difference to the floor, not of the ratio
    more: tuple = ()  # Figure: other numbers of the same runs
    overrides: tuple = ()  # settings of the broker

    def compared(self):
        """--kafka measures it with Apache Kafka, too."""
        return any(figure.against for figure in figures(self))


@dataclasses.dataclass
class Figure:
    """A further number of a case's runs; a row of its own."""

    name: str
    title: str
    metric: str
    unit: str
    scale: float = 1.0
    limit: float = 0.0
    most: bool = True
    against: float = 0.0
    floor_metric: str = ""
    above: bool = False


INGEST = "server_cpu_s_per_gib"
KAFKA_WARMUP_SECONDS = (15, 4)  # of the measured load, for its just-in-time compiler: the first case, each further one
FILL = {"record-size": 1000, "batch-size": 65536, "batches": 1, "depth": 8}
KIBIBYTE_RECORDS = {"record-size": 1024, "batch-size": 65536, "connections": 2, "depth": 4}


def cpu_against_kafka(name, against=8.0):
    return (Figure(name + "-cpu", "the same, broker CPU", INGEST, "CPU s/GiB", against=against),)


CASES = [
    Case("ingest-1x1m", "produce, 1 MiB requests of one batch", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 1040000, "depth": 4, "mebibytes": 1200}, floor="ingest", limit=1.3,
         overrides=("log.segment.bytes=2147483647",)),  # the whole run lies in one segment: the floor syncs nothing
    Case("ingest-1x1m-roll", "the same over the end of a segment, whose sync is the broker's and not the floor's", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 1040000, "depth": 4}, floor="ingest", short=False),
    Case("ingest-16x64k", "produce, 1 MiB requests of 16 batches for 16 partitions", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 65536, "partitions": 16, "batches": 16, "depth": 4}, floor="ingest", limit=2.0, extra=True),
    Case("ingest-16k-100c", "produce, 16 KiB requests over 100 connections", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 16384, "partitions": 16, "connections": 100}, floor="ingest", limit=1.6),
    Case("ingest-64k-1000p", "produce, 64 KiB requests over 1,000 partitions that hold data", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 65536, "partitions": 1000, "connections": 4, "depth": 4},
         fill={"record-size": 1000, "batch-size": 1100, "partitions": 1000, "connections": 4, "depth": 4, "mebibytes": 6},
         floor="ingest", short=False, extra=True),
    Case("ingest-acks-all", "produce, 1 MiB requests of one batch, acks=all", INGEST, "CPU s/GiB", "produce",
         {"record-size": 1000, "batch-size": 1040000, "depth": 4, "acks": "all"}, floor="ingest", short=False, extra=True),
    Case("fetch-1m", "fetch from the page cache, 1 MiB answers", INGEST, "CPU s/GiB", "fetch",
         {"rewind": True, "fetch-size": MEBIBYTE}, fill=FILL,
         floor="sendfile", floor_settings=("--response-size", "1048576"), limit=1.2),
    Case("fetch-64k", "fetch from the page cache, 64 KiB answers", INGEST, "CPU s/GiB", "fetch",
         {"rewind": True, "fetch-size": 66000}, fill=FILL,
         floor="sendfile", floor_settings=("--response-size", "65536"), limit=1.5, short=False),
    Case("fetch-fanout-5", "fetch, five consumers of everything", "mib_per_s", "MiB/s", "fetch",
         {"rewind": True, "lean": True, "fetch-size": MEBIBYTE, "connections": 5}, fill=FILL, most=False, short=False, against=3.0,
         more=cpu_against_kafka("fetch-fanout-5", 0.0)),  # both brokers leave it to sendfile
    Case("throughput-1p", "produce, 1 KiB records in 64 KiB batches, 1 partition", "mib_per_s", "MiB/s", "produce",
         {**KIBIBYTE_RECORDS}, most=False, short=False, against=4.0, more=cpu_against_kafka("throughput-1p")),
    Case("throughput-16p", "the same, 16 partitions", "mib_per_s", "MiB/s", "produce",
         {**KIBIBYTE_RECORDS, "partitions": 16}, most=False, short=False, against=4.0, more=cpu_against_kafka("throughput-16p")),
    Case("throughput-1000p", "the same, 1,000 partitions that hold data", "mib_per_s", "MiB/s", "produce",
         {**KIBIBYTE_RECORDS, "partitions": 1000},
         fill={"record-size": 1000, "batch-size": 1100, "partitions": 1000, "connections": 4, "depth": 4, "mebibytes": 6},
         most=False, short=False, against=4.0, more=cpu_against_kafka("throughput-1000p")),
    Case("records-100b", "produce, 100-byte records in 16 KiB batches", "records_per_s", "M records/s", "produce",
         {"record-size": 100, "batch-size": 16384, "partitions": 4, "connections": 4, "depth": 8}, scale=1e-6, limit=2.0, most=False),
    Case("records-100b-cpu", "the same, broker CPU", INGEST, "CPU s/GiB", "produce",
         {"record-size": 100, "batch-size": 16384, "partitions": 4, "connections": 4, "depth": 8}, floor="ingest", short=False, extra=True),
    Case("pingpong-1", "ApiVersions, 1 connection", "requests_per_s", "requests/s", "pingpong",
         {"connections": 1}, floor="pingpong", short=False, limit=0.7, most=False),
    Case("pingpong-10", "ApiVersions, 10 connections", "requests_per_s", "requests/s", "pingpong",
         {"connections": 10}, floor="pingpong", short=False, limit=0.7, most=False),
    Case("pingpong-100", "ApiVersions, 100 connections", "requests_per_s", "requests/s", "pingpong",
         {"connections": 100}, floor="pingpong", limit=0.7, most=False,
         more=(Figure("pingpong-100-cpu", "the same, broker CPU", "server_cpu_us_per_request", "CPU us/request",
                      floor_metric="server_cpu_us_per_request"),)),
    Case("pingpong-1000", "ApiVersions, 1,000 connections", "requests_per_s", "requests/s", "pingpong",
         {"connections": 1000}, floor="pingpong", short=False, limit=0.7, most=False),
    Case("heartbeat-100", "Heartbeat, 100 connections", "requests_per_s", "requests/s", "pingpong",
         {"connections": 100, "api": "heartbeat"}, floor="pingpong", floor_settings=("--reply-size", "10"), short=False,
         limit=0.7, most=False),
    Case("wake", "a parked fetch, from the append's send to its answer, median", "latency_us.p50", "ms", "wake",
         {"count": 500, "record-size": 100}, scale=1e-3, limit=1.0),
    Case("idle-connections", "resident memory of a connection that idles, of 10,000", "kib_per_connection", "KB", "hold",
         {"connections": 10000}, scale=1.024, limit=8.0, short=False),
    Case("e2e-p50", "10,000 records/s of 1 KiB, produce to fetch, median; limit above the ping-pong floor's", "latency_us.p50", "ms",
         "e2e", {"batch-size": 1, "rate": 10000}, scale=1e-3, limit=0.2, short=False,
         floor="pingpong", floor_settings=("--reply-size", "60"), floor_mode="pingpong", above=True,
         more=(Figure("e2e-p99", "the same, 99th percentile", "latency_us.p99", "ms", 1e-3, against=5.0,
                      floor_metric="latency_us.p99"),
               Figure("e2e-p99.9", "the same, 99.9th percentile", "latency_us.p999", "ms", 1e-3, limit=2.0,
                      floor_metric="latency_us.p999", above=True))),
    Case("e2e-ten-p50", "the same rate in batches of ten records, median", "latency_us.p50", "ms",
         "e2e", {"batch-size": 10400, "rate": 10000}, scale=1e-3, short=False,
         more=(Figure("e2e-ten-p99", "the same, 99th percentile", "latency_us.p99", "ms", 1e-3, against=5.0),)),
    Case("e2e-all-p50", "1,000 records/s of 1 KiB at acks=all, produce to acknowledgement, median; floor: the same at acks=1 and one sync of the medium",
         "ack_us.p50", "ms", "e2e", {"batch-size": 1, "rate": 1000, "acks": "all"}, scale=1e-3, short=False,
         floor="sync", above=True, limit=0.2,
         more=(Figure("e2e-all-p99", "the same, 99th percentile", "ack_us.p99", "ms", 1e-3, floor_metric="ack_us.p99"),)),
]


def figures(case):
    """The case's own number first, then what else its runs tell."""
    yield Figure(case.name, case.title, case.metric, case.unit, case.scale, case.limit, case.most, case.against,
                 case.floor_metric or case.metric, case.above)
    yield from case.more


def pick(result, metric):
    for key in metric.split("."):
        result = result[key]
    return result


class Runner:
    def __init__(self, build, servers, seconds, mebibytes):
        self.build = build
        self.loadgen_path = os.path.join(build, "bench", "loadgen")
        self.servers = servers
        self.seconds = seconds
        self.mebibytes = mebibytes
        self.topics = (f"bench-{number}" for number in itertools.count())
        self.topic = ""  # of the last run
        self.kept = {}  # case: the topic that Apache Kafka has of it; it outlives many cases, and 1,000 partitions take it long
        self.raw = []
        self.warm = False  # Apache Kafka has run a case

    def command(self, mode, server, settings):
        command = [self.loadgen_path, mode, "--port", str(server.port), "--pid", str(server.process.pid)]
        for name, value in settings.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return command

    def loadgen(self, mode, server, settings, note):
        command = self.command(mode, server, settings)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        result = json.loads(done.stdout)
        self.raw.append({**note, "settings": settings, "result": result})
        return result

    def once(self, case, subject, server, seconds=0):
        """One run of a case against a running server; the generator's result."""
        filled = subject.startswith("kafka") and case.name in self.kept
        self.topic = self.kept[case.name] if filled else next(self.topics)
        if subject.startswith("kafka") and case.mode != "e2e":  # that one wants an empty topic
            self.kept[case.name] = self.topic
        common = {"topic": self.topic}
        note = {"case": case.name, "subject": subject}
        mode = case.mode
        if subject == "floor":
            settings = {**case.settings, **case.floor_load, "floor": True}
            mode = case.floor_mode or mode
        else:
            settings = {**case.settings, **common, "create": True}
        if case.fill and subject != "floor" and not filled:
            self.loadgen("produce", server, {"seconds": 60, "warmup-ms": 0, "mebibytes": 512, **case.fill, **common,
                                             "create": True}, {**note, "fill": True})
        if mode == "produce":
            settings = {"mebibytes": self.mebibytes, **settings}
        if mode not in ("wake", "hold"):
            settings = {**settings, "seconds": seconds or self.seconds}
        return self.loadgen(mode, server, settings, note)

    def floor_settings(self, case):
        if case.floor == "pingpong" and not case.floor_settings:
            return ("--reply-size", str(round(self.raw[-1]["result"]["reply_bytes"])))
        return case.floor_settings

    def pair(self, case, results):
        """One run of the broker and one of the floor."""
        servers = Servers.like(self.servers, [*self.servers.overrides, *case.overrides])
        with servers.running("odradek") as server:
            results["odradek"].append(self.once(case, "odradek", server))
            if case.floor == "sendfile":
                # The floor sends the broker's own file: how its pages lie in memory decides what sending them costs.
                log = os.path.join(server.directory, "data", self.topic + "-0", "0" * 20 + ".log")
                results["floor"].append(self.floor_once(case, ("--file", log, *case.floor_settings)))
            elif case.floor == "sync":
                results["floor"].append(self.written_and_synced(case, server))
        if case.floor and case.floor not in ("sendfile", "sync"):
            results["floor"].append(self.floor_once(case, self.floor_settings(case)))

    def written_and_synced(self, case, server):
        """What an acknowledgement takes at acks=1, and one sync of the medium on top."""
        written = self.once(dataclasses.replace(case, settings={**case.settings, "acks": "1"}), "odradek, acks=1", server)["ack_us"]
        synced = machine.sync_us(self.servers.scratch)
        self.raw.append({"case": case.name, "subject": "sync of the medium", "result": synced})
        return {"ack_us": {key: written[key] + synced[key] for key in ("p50", "p99")}}

    def floor_once(self, case, settings):
        with self.servers.running("floor", case.floor, settings) as server:
            return self.once(case, "floor", server)

    def measure(self, case, repeats, kafka=None):
        """Interleaved runs. Returns {subject: [results]}; results of the same index belong to one round. `kafka`: a running server."""
        results = {"odradek": [], "floor": [], "kafka": []}
        try:
            if kafka is not None:
                self.once(case, "kafka-warmup", kafka, KAFKA_WARMUP_SECONDS[1 if self.warm else 0])
                self.warm = True
        except RuntimeError as error:
            print(f"# Apache Kafka, {case.name}: {error}", flush=True)
            self.raw.append({"case": case.name, "subject": "kafka", "error": str(error)})
            kafka = None
        for _ in range(repeats):
            self.pair(case, results)
            if kafka is not None:
                results["kafka"].append(self.once(case, "kafka", kafka))
        return results

    def start_samples(self, count):
        """Start, stop and idle memory of the broker, each on a directory that does not exist yet."""
        overrides = ["listeners=PLAINTEXT://127.0.0.1:{port}", "log.dirs={dir}", "odradek.http.listener=", *self.servers.overrides]
        command = [self.loadgen_path, "start", "--count", str(count), "--", self.servers.odradek_path]
        for override in overrides:
            command += ["--override", override]
        with self.servers.directory() as path:
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=path)
        samples = json.loads(done.stdout)["samples"]
        self.raw.append({"case": "start", "subject": "odradek", "result": samples})
        return samples

    def join_samples(self, build, subject, server, count):
        """Milliseconds from a new librdkafka consumer to its first record."""
        command = [os.path.join(build, "bench", "group_join"), f"127.0.0.1:{server.port}", "bench-join", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"group_join: {done.stderr.strip()}")
        samples = [json.loads(line) for line in done.stdout.splitlines()]
        self.raw.append({"case": "join", "subject": subject, "result": samples})
        return [sample["first_record_ms"] for sample in samples]


def median(values):
    return statistics.median(values)
