# SPDX-License-Identifier: BSD-2-Clause
"""Brings each client to this machine, once: npm, pip, Maven and Go modules by name, C programs by the compiler.

Everything lands in `integration/.cache` or `integration/node_modules`. What is there and was made from the same inputs
is not made again (a stamp file holds the digest of the inputs). A toolchain that is missing raises `Missing` with the
reason; the suite then skips its scenarios, or fails under --strict.
"""

import functools
import glob
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".cache")
BIN = os.path.join(CACHE, "bin")
PREPARE_SECONDS = 900


class Missing(Exception):
    """A client is not on this machine and cannot be brought here."""


class Broken(Exception):
    """A scenario does not compile: that is our fault."""


_lock = threading.RLock()


def _remembered(function):
    """Does the work once in this run, also when it fails."""
    results = {}

    @functools.wraps(function)
    def wrapper(*args):
        with _lock:
            if args not in results:
                try:
                    results[args] = (function(*args), None)
                except (Missing, Broken) as error:
                    results[args] = (None, error)
            value, error = results[args]
        if error is not None:
            raise error
        return value

    return wrapper


def _need(program, *version_command, at_least=None):
    path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} is not installed")
    if at_least is not None:
        done = subprocess.run([path, *version_command], capture_output=True, text=True, check=False)
        found = re.search(r"(\d+)(?:\.(\d+))?", (done.stdout + done.stderr).replace("go version go", ""))
        version = tuple(int(part or 0) for part in found.groups()) if found else (0, 0)
        if version < at_least:
            raise Missing(f"{program} is {version[0]}.{version[1]}, {at_least[0]}.{at_least[1]} is needed")
    return path


def _run(what, command, cwd=ROOT, env=None, fault=Missing):
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PREPARE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{what}: no end after {PREPARE_SECONDS} s") from None
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise fault(f"{what} failed: {shlex.join(command)}\n{tail}")
    return done.stdout


def _digest(paths, *words):
    digest = hashlib.sha256()
    for path in sorted(paths):
        with open(path, "rb") as source:
            digest.update(os.path.basename(path).encode() + b"\0" + source.read())
    digest.update("\0".join(words).encode())
    return digest.hexdigest()


def _once(name, digest, make, made):
    """Calls `make` unless `made` is there and came from the same inputs."""
    stamp = os.path.join(CACHE, name + ".stamp")
    try:
        with open(stamp, encoding="ascii") as old:
            if old.read() == digest and os.path.exists(made):
                return
    except FileNotFoundError:
        pass
    os.makedirs(CACHE, exist_ok=True)
    print(f"# preparing {name}", flush=True)
    make()
    with open(stamp, "w", encoding="ascii") as new:
        new.write(digest)


@_remembered
def node():
    """The node program; kafkajs and its codecs lie in integration/node_modules."""
    path = _need("node", "--version", at_least=(18, 0))
    npm = _need("npm")
    made = os.path.join(ROOT, "node_modules")
    digest = _digest([os.path.join(ROOT, "package-lock.json")])
    _once("kafkajs", digest, lambda: _run("npm", [npm, "ci", "--no-audit", "--no-fund"]), made)
    return path


@_remembered
def python():
    """A Python whose confluent_kafka carries a current librdkafka."""
    made = os.path.join(CACHE, "venv")
    path = os.path.join(made, "bin", "python3")
    requirements = os.path.join(ROOT, "requirements.txt")

    def make():
        shutil.rmtree(made, ignore_errors=True)
        _run("python3 -m venv", [sys.executable, "-m", "venv", made])
        _run("pip", [path, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements])

    _once("confluent-kafka", _digest([requirements], sys.version), make, path)
    return path


@_remembered
def jars():
    """(java, class path) with Apache Kafka's broker, clients and tools."""
    path = _need("java", "-version", at_least=(17, 0))
    pom = os.path.join(ROOT, "java", "pom.xml")
    made = os.path.join(CACHE, "jars")

    def make():
        maven = _need("mvn")
        fresh = made + ".new"
        shutil.rmtree(fresh, ignore_errors=True)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        _run("mvn", [maven, "-q", "-B", "-f", pom, *goal])
        shutil.rmtree(made, ignore_errors=True)
        os.rename(fresh, made)

    _once("kafka-jars", _digest([pom]), make, made)
    return path, os.path.join(made, "*")


@_remembered
def java():
    """(java, class path) with the scenarios compiled."""
    path, classpath = jars()
    sources = glob.glob(os.path.join(ROOT, "java", "*.java"))
    made = os.path.join(CACHE, "classes")

    def make():
        compiler = _need("javac")
        shutil.rmtree(made, ignore_errors=True)
        _run("javac", [compiler, "-Xlint:all,-processing,-classfile", "-proc:none", "-cp", classpath, "-d", made, *sources], fault=Broken)

    _once("java-scenarios", _digest([*sources, os.path.join(ROOT, "java", "pom.xml")]), make, made)
    return path, os.pathsep.join([made, os.path.join(ROOT, "java"), classpath])


@_remembered
def go():
    """The program with all Go scenarios."""
    folder = os.path.join(ROOT, "go")
    with open(os.path.join(folder, "go.mod"), encoding="ascii") as mod:
        wanted = re.search(r"^go (\d+)\.(\d+)", mod.read(), re.MULTILINE)
    compiler = _need("go", "version", at_least=(int(wanted[1]), int(wanted[2])))
    made = os.path.join(BIN, "go-scenarios")
    sources = [path for path in glob.glob(os.path.join(folder, "*")) if os.path.isfile(path)]
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}

    def make():
        _run("go mod download", [compiler, "mod", "download"], folder, settings)
        _run("go build", [compiler, "build", "-o", made, "."], folder, settings, fault=Broken)

    _once("go-scenarios", _digest(sources), make, made)
    return made


@_remembered
def rdkafka(source):
    """The C program made from `source` with this machine's librdkafka."""
    compiler = _need("cc")
    config = _need("pkg-config")
    if subprocess.run([config, "--exists", "rdkafka"], check=False).returncode != 0:
        raise Missing("librdkafka-dev is not installed")
    folder = os.path.join(ROOT, "rdkafka")
    flags = shlex.split(_run("pkg-config", [config, "--cflags", "--libs", "rdkafka"]))
    shared = [os.path.join(folder, "rig.c"), os.path.join(folder, "rig.h")]
    name = os.path.basename(os.path.dirname(source)) + "-" + os.path.basename(source).removesuffix(".c")
    made = os.path.join(BIN, name)
    warnings = ["-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"]

    def make():
        os.makedirs(BIN, exist_ok=True)
        build = [compiler, "-std=gnu17", "-O1", "-g", *warnings, "-I", folder, "-o", made, source, shared[0], *flags, "-pthread"]
        _run("cc", build, fault=Broken)

    _once(name, _digest([source, *shared], *flags), make, made)
    return made


def kcat():
    return _need("kcat")
