# SPDX-License-Identifier: BSD-2-Clause
"""What unmodified clients reach by themselves, against odradek and against Apache Kafka: 1 KiB records, acks=1, no compression,
otherwise each client's defaults. The client is the bottleneck: a broker can only be in its way. The programs lie in bench/clients.
"""

import json
import os
import subprocess

from lib import toolchain

from .scale import ask, text

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "clients")
PARTITIONS = 4
SIZE = 1024
CLIENT_SECONDS = 150
RECORDS = {"kafkajs": 40000, "librdkafka": 200000, "franz-go": 200000, "java": 200000}


def commands(build):
    """{client: (command, environment)}; those whose toolchain is missing say so and are left out."""
    def kafkajs():
        return [toolchain.node(), os.path.join(FOLDER, "kafkajs.js")], {"NODE_PATH": os.path.join(toolchain.ROOT, "node_modules")}

    def librdkafka():
        path = os.path.join(build, "bench", "rdkafka_throughput")
        if not os.path.exists(path):
            raise toolchain.Missing("librdkafka's headers were not there when the bench was built")
        return [path], {}

    def franz():
        toolchain.go()
        made = os.path.join(toolchain.BIN, "franz-throughput")
        subprocess.run(["go", "build", "-o", made, "."], cwd=os.path.join(FOLDER, "franz"), check=True,
                       env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"})
        return [made], {}

    def java():
        program, classpath = toolchain.java()
        return [program, "-cp", classpath, os.path.join(FOLDER, "Throughput.java")], {}

    found = {}
    for name, make in {"kafkajs": kafkajs, "librdkafka": librdkafka, "franz-go": franz, "java": java}.items():
        try:
            found[name] = make()
        except toolchain.Missing as missing:
            print(f"# no {name} here: {missing}", flush=True)
    return found


def create_topic(port, name):
    body = b"\0\0\0\1" + text(name) + PARTITIONS.to_bytes(4, "big") + b"\0\1" + bytes(8)
    ask(port, 19, 2, body + (30000).to_bytes(4, "big") + b"\0")


def once(runner, server, client, command, environment):
    topic = next(runner.topics)
    create_topic(server.port, topic)
    done = subprocess.run([*command, topic, str(RECORDS[client]), str(SIZE)], capture_output=True, text=True, check=False,
                          timeout=CLIENT_SECONDS, env={**os.environ, **environment, "BOOTSTRAP": f"127.0.0.1:{server.port}"})
    if done.returncode != 0:
        raise RuntimeError(f"{client}: {done.stderr.strip()}")
    result = json.loads(done.stdout.splitlines()[-1])
    runner.raw.append({"case": "clients", "client": client, "subject": type(server).__name__, "result": result})
    return result


def throughput(runner, repeats, kafka=None):
    """(name, title, {subject: [MB/s]}) for each client and direction; the two brokers take turns. `kafka`: a running server."""
    if kafka is not None:
        for client, (command, environment) in list(commands(runner.build).items())[:1]:
            once(runner, kafka, client, command, environment)  # makes the topic of group offsets, too
    for client, (command, environment) in commands(runner.build).items():
        values = {"odradek": [], **({"kafka": []} if kafka is not None else {})}
        for _ in range(repeats):
            with runner.servers.running("odradek") as server:
                values["odradek"].append(once(runner, server, client, command, environment))
            if kafka is not None:
                values["kafka"].append(once(runner, kafka, client, command, environment))
        for way in ("produce", "consume"):
            yield (f"client-{client}-{way}", f"{client}: {way}, its own throughput",
                   {subject: [result[way] for result in runs] for subject, runs in values.items()})
