# SPDX-License-Identifier: BSD-2-Clause
"""Where the broker's cycles and system calls go while a case runs: perf and strace, when they are installed."""

import os
import shutil
import signal
import subprocess

from .cases import pick

TOP_SYMBOLS = 40


def attached(command, run):
    """Runs `run` while `command` watches; stops the watcher and returns its standard error."""
    watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        result = run()
    finally:
        watcher.send_signal(signal.SIGINT)
        errors = watcher.communicate()[1]
    return result, errors


def symbols(data):
    command = ["perf", "report", "-i", data, "--no-children", "--sort", "symbol", "--stdio", "-g", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines[:TOP_SYMBOLS])


def profile(runner, case):
    """Prints symbols by share of the broker's CPU, then its system calls. perf.data stays in bench/out."""
    for tool in ("perf", "strace"):
        if shutil.which(tool) is None:
            print(f"# {tool} is not installed")
            continue
        with runner.servers.running("odradek") as server:
            pid = str(server.process.pid)
            data = os.path.join(os.path.dirname(runner.servers.scratch), f"{case.name}.perf")
            watch = ["perf", "record", "-q", "-g", "-o", data, "-p", pid] if tool == "perf" else ["strace", "-c", "-f", "-p", pid]
            result, errors = attached(watch, lambda: runner.once(case, "odradek", server))
        print(f"\n## {case.name} under {tool}: {pick(result, case.metric) * case.scale:.4g} {case.unit}")
        print(symbols(data) if tool == "perf" else errors)
        requests = runner.raw[-1]["result"].get("requests")
        if requests:
            print(f"requests in the measured window: {requests}")
