# SPDX-License-Identifier: BSD-2-Clause
"""Lets a scenario, in whatever language, restart or kill the broker it talks to.

A line-based TCP server on 127.0.0.1 (its address is the scenario's CONTROL variable). The scenario connects, sends one
word, reads one line: `ok`, or `error: ...`. Words: `restart` (SIGTERM and start), `stop`, `kill` (SIGKILL), `start`.
"""

import socketserver
import threading


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            word = line.decode("ascii", "replace").strip()
            self.wfile.write((self.server.obey(word) + "\n").encode())


class Control(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    words = ("restart", "stop", "kill", "start")

    def __init__(self, broker):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.broker = broker
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def obey(self, word):
        if word not in self.words:
            return f"error: unknown word {word!r}"
        try:
            with self.lock:
                getattr(self.broker, word)()
        except Exception as error:  # the scenario is told; it fails with this text
            return f"error: {error}".replace("\n", " ")
        return "ok"

    def close(self):
        self.shutdown()
        self.server_close()
