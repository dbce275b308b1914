# SPDX-License-Identifier: BSD-2-Clause
"""How much more two loops can do than one.

Where generator and broker share two cores the throughput cannot tell. What a loop can do in a second is one second of CPU; so
two loops do 2 * (CPU per unit with one loop) / (CPU per unit with two), whatever they cost each other in messages and caches.
"""

from .cases import CASES
from .servers import Servers

SHAPES = [
    ("loops-produce", "the work of two loops in multiples of one's: 16 KiB produce over 100 connections", "ingest-16k-100c", "server_cpu_s_per_gib"),
    ("loops-large", "the same, 1 MiB produce", "ingest-1x1m", "server_cpu_s_per_gib"),
    ("loops-small", "the same, ApiVersions over 100 connections", "pingpong-100", "server_cpu_us_per_request"),
]


def factors(runner, repeats):
    """(name, title, [factors]) per shape; the runs with one loop and with two alternate."""
    servers = runner.servers
    try:
        for name, title, case_name, metric in SHAPES:
            case = next(case for case in CASES if case.name == case_name)
            costs = {1: [], 2: []}
            for _ in range(repeats):
                for count, values in costs.items():
                    overrides = [*servers.overrides, f"num.network.threads={count}"]
                    runner.servers = Servers.like(servers, overrides)
                    with runner.servers.running("odradek") as server:
                        values.append(runner.once(case, f"odradek, {count} loops", server)[metric])
            yield name, title, [2 * one / two for one, two in zip(costs[1], costs[2])]
    finally:
        runner.servers = servers
