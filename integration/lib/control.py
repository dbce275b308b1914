# SPDX-License-Identifier: BSD-2-Clause
"""Lets a scenario, in whatever language, restart or kill the broker it talks to.

A line-based TCP server on 127.0.0.1 (its address is the scenario's CONTROL variable). The scenario connects, sends one
word, reads one line: `ok`, or `error: ...`. Words: `restart` (SIGTERM and start), `stop`, `kill` (SIGKILL), `start`.
`proxy ...` is for the proxy that holds and repeats requests (lib/proxy.py); it is there once it was spoken to.
"""

import socketserver
import threading

from .proxy import Proxy


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
        self.proxy = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def obey_proxy(self, words):
        with self.lock:
            self.proxy = self.proxy or Proxy(self.broker)
        return f"ok {self.proxy.obey(words)}".strip()

    def obey(self, word):
        if word.startswith("proxy "):
            try:
                return self.obey_proxy(word.split()[1:])
            except (ValueError, IndexError, OSError) as error:
                return f"error: {error}".replace("\n", " ")
        if word not in self.words:
            return f"error: unknown word {word!r}"
        try:
            with self.lock:
                getattr(self.broker, word)()
        except Exception as error:  # the scenario is told; it fails with this text
            return f"error: {error}".replace("\n", " ")
        return "ok"

    def close(self):
        if self.proxy:
            self.proxy.close()
        self.shutdown()
        self.server_close()
