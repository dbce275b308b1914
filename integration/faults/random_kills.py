# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 at random moments under librdkafka and kafkajs: integration/crash, 1,000 kills (short: 50)."""

import os
import subprocess
import sys

from rig import ROOT

ROUNDS, ROUNDS_SHORT = 1000, 50


def run(options, results):
    rounds = ROUNDS_SHORT if options.short else ROUNDS
    command = [os.path.join(ROOT, "integration", "crash"), "--broker", options.broker, "--rounds", str(rounds)]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
    results.check(process.returncode == 0, "kills", f"{rounds} kills under real clients")
