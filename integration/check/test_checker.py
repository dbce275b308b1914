#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The checker against histories made by hand: a clean one passes, and each with one thing wrong fails by the right invariant."""

import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import checker  # noqa: E402

MS = 1_000_000


class World:
    """A clean run in the making: the log is modelled here, and a test bends what is written about it."""

    def __init__(self):
        self.now = 1000 * MS
        self.files = {}
        self.logs = {}  # place -> [(identity or None for a marker, visible)]
        self.sequences = {}

    def tick(self, ms=1):
        self.now += ms * MS
        return self.now

    def start(self, name, mode, life=0, **more):
        who = f"{name}.{life}"
        self.files[who] = [{"t": self.tick(), "e": "start", "p": name, "i": life, "mode": mode, **more}]
        return who

    def note(self, who, **event):
        entry = {"t": self.tick(), **event}
        self.files.setdefault(who, []).append(entry)
        return entry

    def send(self, who, place, txn=None, ok=True, visible=True, source=None, stored=True):
        sequence = self.sequences[who, place] = self.sequences.get((who, place), -1) + 1
        identity = f"{who}:{place}:{sequence}:{'-' if txn is None else txn}"
        more = {"src": source} if source else {}
        self.note(who, e="invoke", f="send", v=identity, **more)
        if stored:
            offset = self.put(place, identity, visible)
            if ok:
                self.note(who, e="ok", f="send", v=identity, o=offset)
        return identity

    def put(self, place, identity, visible=True):
        log = self.logs.setdefault(place, [])
        log.append((identity, visible, self.now // MS))
        return len(log) - 1

    def txn(self, who, number, places, end="commit", ok=True, offsets=None, sources=()):
        """A whole transaction; its records are visible when it commits."""
        self.note(who, e="invoke", f="begin", x=number)
        sources = list(sources) or [None] * len(places)
        ids = [self.send(who, place, number, visible=end == "commit", source=source) for place, source in zip(places, sources)]
        if offsets:
            self.note(who, e="invoke", f="offsets", x=number, off=offsets)
        self.note(who, e="invoke", f=end, x=number)
        for place in set(places):
            self.put(place, None)
        if ok:
            self.note(who, e="ok", f=end, x=number)
        return ids

    def records(self, place, committed=False):
        return [[offset, identity] for offset, (identity, visible, _) in enumerate(self.logs.get(place, []))
                if identity and (visible or not committed)]

    def read(self, who, place, first=0, committed=False):
        self.note(who, e="ok", f="poll", k=place, r=[pair for pair in self.records(place, committed) if pair[0] >= first])

    def marks(self, **instead):
        ends = {place: [0, len(log), len(log)] for place, log in self.logs.items()}
        ends.update({place.replace("_", "-"): mark for place, mark in instead.items()})
        begun = self.tick()
        return self.note("runner", e="ok", f="marks", t0=begun, t1=begun, r=ends)

    def fetch(self, group, **offsets):
        begun = self.tick()
        found = {place.replace("_", "-"): offset for place, offset in offsets.items()}
        return self.note("runner", e="ok", f="fetch", g=group, t0=begun, r=found)

    def scans(self):
        for committed in (False, True):
            name = "scan-committed" if committed else "scan"
            who = self.start(name, "scan", isolation="read_committed" if committed else "read_uncommitted")
            self.note(who, e="assign", k=sorted(self.logs))
            for place in sorted(self.logs):
                read = [[offset, identity, self.logs[place][offset][2]] for offset, identity in self.records(place, committed)]
                self.note(who, e="ok", f="poll", k=place, r=read)
                self.note(who, e="ok", f="eof", k=place, o=len(self.logs[place]))

    def finish(self):
        """The end of an ordinary run, with all that it says."""
        for event in ("heal", "quiesce", "quiet", "dry"):
            self.note("runner", e=event)
        self.scans()
        self.marks()
        self.note("runner", e="ok", f="epochs", r={place: len(log) for place, log in self.logs.items()})

    def broken(self, wanted=None):
        """The invariants that do not hold."""
        with tempfile.TemporaryDirectory() as directory:
            for name, events in self.files.items():
                with open(os.path.join(directory, name + ".jsonl"), "w", encoding="ascii") as file:
                    file.writelines(json.dumps(event) + "\n" for event in events)
                    file.write('{"t":12,"e":"inv')  # a line that a kill cut short
            judge = checker.Checker(checker.Run(directory), wanted or checker.Wanted())
            judge.check()
            self.examples = judge.verdict.examples
            return set(judge.verdict.counts)


def simple():
    """Ten records of an idempotent producer, a reader, marks."""
    world = World()
    producer = world.start("p", "produce", acks="all", idempotent=True)
    for index in range(10):
        world.send(producer, f"t-{index % 2}")
    world.marks()
    reader = world.start("r", "consume")
    world.note(reader, e="assign", k=["t-0", "t-1"])
    world.read(reader, "t-0")
    world.read(reader, "t-1")
    return world, producer, reader


def grouped():
    """A group of two lives: the first commits, the second goes on from there."""
    world = World()
    producer = world.start("p", "produce", acks="all", idempotent=True)
    for _ in range(6):
        world.send(producer, "t-0")
    one = world.start("a", "consume", group="g")
    world.note(one, e="assign", gen=1, member="m1", k=["t-0"])
    world.note(one, e="ok", f="poll", k="t-0", r=world.records("t-0")[:3])
    world.note(one, e="invoke", f="commit", n=1, gen=1, off={"t-0": 3})
    world.note(one, e="ok", f="commit", n=1)
    world.fetch("g", t_0=3)
    two = world.start("b", "consume", group="g")
    world.note(two, e="assign", gen=2, member="m2", k=["t-0"])
    return world, one, two


def piped():
    """Committed and aborted transactions, and a pipe that reads them."""
    world = World()
    writer = world.start("w", "transact", txid="w")
    world.txn(writer, 0, ["t-0", "t-1"])
    world.txn(writer, 1, ["t-0", "t-0"], end="abort")
    world.txn(writer, 2, ["t-0"])
    pipe = world.start("q", "pipe", txid="q", group="g")
    world.note(pipe, e="assign", gen=1, member="m", k=["t-0"])
    world.txn(pipe, 0, ["s-0", "s-0"], offsets={"t-0": 6}, sources=["t-0@0", "t-0@5"])
    return world, writer, pipe


def finish(world, **committed):
    reader = world.start("all", "consume", isolation="read_committed")
    world.note(reader, e="assign", k=sorted(world.logs))
    for place in sorted(world.logs):
        world.read(reader, place, committed=True)
    world.finish()
    if committed:
        world.fetch("g", **committed)
    return world


class CleanHistories(unittest.TestCase):
    def test_simple(self):
        world, producer, _ = simple()
        world.finish()
        self.heal(world, producer)
        self.assertEqual(world.broken(), set(), world.examples)

    @staticmethod
    def heal(world, producer):
        """Its last acknowledgement lies after the heal."""
        heal = next(event for event in world.files["runner"] if event["e"] == "heal")
        heal["t"] = max(event["t"] for event in world.files[producer] if event["e"] == "ok" and event["f"] == "send") - 1

    def test_groups(self):
        world, _, two = grouped()
        world.read(two, "t-0", 3)
        world.finish()
        self.heal(world, "p.0")
        self.assertEqual(world.broken(), set(), world.examples)

    def test_transactions_and_pipes(self):
        world, writer, _ = piped()
        finish(world, t_0=6)
        self.heal(world, writer)
        self.assertEqual(world.broken(), set(), world.examples)

    def test_what_nobody_knows_may_be_either_way(self):
        for there in (False, True):
            world, producer, reader = simple()
            world.send(producer, "t-0", ok=False, stored=there)
            if there:
                world.read(reader, "t-0", 5)
            world.finish()
            self.heal(world, producer)
            self.assertEqual(world.broken(), set(), world.examples)

    def test_a_commit_asked_for_twice_may_have_been_done_the_first_time(self):
        for counts in (False, True):
            world, one, two = grouped()
            world.note(one, e="invoke", f="commit", n=2, gen=2, off={"t-0": 5})
            world.note("runner", e="kill", what="broker", pid=1)
            world.note(one, e="fail", f="commit", n=2)
            world.fetch("g", t_0=5 if counts else 3)
            world.note(two, e="assign", gen=3, member="m2", k=["t-0"])
            world.read(two, "t-0", 5 if counts else 3)
            world.finish()
            self.heal(world, "p.0")
            self.assertEqual(world.broken(), set(), world.examples)

    def test_an_unknown_commit_is_whole_or_nothing(self):
        for visible in (False, True):
            world, writer, _ = piped()
            world.note(writer, e="invoke", f="begin", x=3)
            for place in ("t-1", "t-1"):
                world.send(writer, place, 3, visible=visible)
            world.note(writer, e="invoke", f="commit", x=3)
            world.put("t-1", None)
            finish(world, t_0=6)
            self.heal(world, writer)
            self.assertEqual(world.broken(), set(), world.examples)


class BrokenHistories(unittest.TestCase):
    def expect(self, invariant, world, wanted=None):
        broken = world.broken(wanted)
        self.assertIn(invariant, broken, f"{broken} {dict(world.examples)}")

    # 1
    def test_lost(self):
        world, producer, _ = simple()
        world.finish()
        world.note(producer, e="invoke", f="send", v="p.0:t-0:99:-")
        world.note(producer, e="ok", f="send", v="p.0:t-0:99:-", o=5)
        self.expect(1, world)

    def test_acknowledged_at_another_offset(self):
        world, producer, _ = simple()
        next(event for event in world.files[producer] if event.get("o") == 2)["o"] = 3
        world.finish()
        self.expect(1, world)

    # 2
    def test_two_values_at_one_offset(self):
        world, _, reader = simple()
        read = world.files[reader][-1]["r"]
        read[1][1], read[2][1] = read[2][1], read[1][1]
        world.finish()
        self.expect(2, world)

    # 3
    def test_phantom(self):
        world, _, _ = simple()
        world.put("t-0", "x.0:t-0:1:-")
        world.finish()
        self.expect(3, world)

    def test_a_refused_record_is_there(self):
        world, producer, _ = simple()
        identity = world.send(producer, "t-0", ok=False)
        world.note(producer, e="fail", f="send", v=identity)
        world.finish()
        self.expect(3, world)

    def test_a_changed_value(self):
        world, _, reader = simple()
        world.note(reader, e="bad", k="t-0", o=1, why="value")
        world.finish()
        self.expect(3, world)

    # 4
    def test_duplicate_of_an_idempotent_producer(self):
        world, producer, _ = simple()
        world.note("runner", e="kill", what="broker", pid=1)
        world.put("t-0", world.send(producer, "t-0", ok=False))
        world.finish()
        self.expect(4, world)

    def test_duplicate_without_a_kill(self):
        world = World()
        producer = world.start("p", "produce", acks="1")
        world.put("t-0", world.send(producer, "t-0"))
        world.finish()
        self.expect(4, world)

    # 5
    def test_out_of_order(self):
        world, _, _ = simple()
        log = world.logs["t-0"]
        log[1], log[2] = log[2], log[1]
        world.finish()
        self.expect(5, world)

    # 6
    def test_skipped(self):
        world, _, reader = simple()
        del world.files[reader][-1]["r"][2]
        world.finish()
        self.expect(6, world)

    def test_went_back(self):
        world, _, reader = simple()
        world.read(reader, "t-1", 2)
        world.finish()
        self.expect(6, world)

    def test_began_behind_the_commit(self):
        world, _, two = grouped()
        world.read(two, "t-0", 4)
        world.finish()
        self.expect(6, world)

    def test_began_before_the_commit(self):
        world, _, two = grouped()
        world.read(two, "t-0", 1)
        world.finish()
        self.expect(6, world)

    # 7
    def test_high_watermark_below_what_was_acknowledged(self):
        world, _, _ = simple()
        world.marks(t_0=[0, 4, 4])
        world.finish()
        self.expect(7, world)

    def test_log_start_fell(self):
        world, _, _ = simple()
        world.marks(t_0=[2, 5, 5])
        world.finish()
        self.expect(7, world)

    def test_stable_offset_below_what_was_read(self):
        world, _, _ = piped()
        finish(world)
        world.marks(t_0=[0, 3, 7])
        self.expect(7, world)

    # 8
    def test_commit_lost(self):
        world, _, _ = grouped()
        world.note("runner", e="kill", what="broker", pid=1)
        world.fetch("g", t_0=-1)
        world.finish()
        self.expect(8, world)

    def test_older_commit_returned(self):
        world, one, _ = grouped()
        world.note(one, e="invoke", f="commit", n=2, gen=1, off={"t-0": 5})
        world.note(one, e="ok", f="commit", n=2)
        world.fetch("g", t_0=3)
        world.finish()
        self.expect(8, world)

    def test_refused_commit_counts(self):
        world, one, _ = grouped()
        world.note(one, e="invoke", f="commit", n=2, gen=1, off={"t-0": 5})
        world.note(one, e="fail", f="commit", n=2)
        world.fetch("g", t_0=5)
        world.finish()
        self.expect(8, world)

    # 9
    def test_two_owners_in_one_generation(self):
        world, _, _ = grouped()
        three = world.start("c", "consume", group="g")
        world.note(three, e="assign", gen=2, member="m3", k=["t-0"])
        world.finish()
        self.expect(9, world)

    def test_two_owners_described(self):
        world, _, _ = grouped()
        world.note("runner", e="ok", f="owners", g="g", r={"m1": ["t-0"], "m2": ["t-0"]})
        world.finish()
        self.expect(9, world)

    def test_commit_of_a_fenced_member(self):
        world, one, _ = grouped()
        world.note(one, e="invoke", f="commit", n=2, gen=1, off={"t-0": 4})
        world.note(one, e="ok", f="commit", n=2)
        world.finish()
        self.expect(9, world)

    def test_generation_fell(self):
        world, _, two = grouped()
        world.note(two, e="assign", gen=1, member="m2", k=[])
        world.finish()
        self.expect(9, world)

    # 10
    def test_aborted_read(self):
        world, _, _ = piped()
        world.logs["t-0"][2] = (world.logs["t-0"][2][0], True, 0)
        self.expect(10, finish(world))

    def test_read_before_the_commit(self):
        world, writer, _ = piped()
        reader = world.start("early", "consume", isolation="read_committed")
        world.note(reader, e="assign", k=["t-1"])
        world.note(writer, e="invoke", f="begin", x=3)
        identity = world.send(writer, "t-1", 3)
        world.read(reader, "t-1", committed=True)
        world.note(writer, e="invoke", f="commit", x=3)
        world.put("t-1", None)
        world.note(writer, e="ok", f="commit", x=3)
        self.assertTrue(identity)
        self.expect(10, finish(world))

    def test_stable_offset_passes_an_open_transaction(self):
        world, writer, _ = piped()
        world.note(writer, e="invoke", f="begin", x=3)
        world.send(writer, "t-1", 3)
        world.marks()
        world.note(writer, e="invoke", f="commit", x=3)
        world.put("t-1", None)
        world.note(writer, e="ok", f="commit", x=3)
        self.expect(10, finish(world))

    # 11
    def test_torn_transaction(self):
        world, writer, _ = piped()
        world.txn(writer, 3, ["t-0", "t-1"])
        log = world.logs["t-1"]
        log[-2] = (log[-2][0], False, 0)
        self.expect(11, finish(world))

    def test_torn_transaction_of_unknown_fate(self):
        world, writer, _ = piped()
        world.txn(writer, 3, ["t-0", "t-1"], ok=False)
        log = world.logs["t-1"]
        log[-2] = (log[-2][0], False, 0)
        self.expect(11, finish(world))

    def test_readers_disagree(self):
        world, writer, _ = piped()
        world.txn(writer, 3, ["t-1"], ok=False)
        reader = world.start("other", "consume", isolation="read_committed")
        world.note(reader, e="assign", k=["t-1"])
        world.read(reader, "t-1", committed=True)
        log = world.logs["t-1"]
        log[-2] = (log[-2][0], False, 0)
        self.expect(11, finish(world))

    # 12
    def test_cycle(self):
        world, writer, pipe = piped()
        world.txn(pipe, 1, ["s-0"], offsets={"t-0": 8}, sources=["t-0@7"])  # before what it read was written
        world.txn(writer, 3, ["t-0"])
        self.expect(12, finish(world))

    # 13
    def test_came_out_twice(self):
        world, _, pipe = piped()
        world.txn(pipe, 1, ["s-0"], offsets={"t-0": 6}, sources=["t-0@5"])
        self.expect(13, finish(world, t_0=6))

    def test_never_came_out(self):
        world, _, pipe = piped()
        world.txn(pipe, 1, [], offsets={"t-0": 7})
        world.txn(world.start("w", "transact", life=1, txid="w"), 0, ["t-0"])
        self.expect(13, finish(world, t_0=8))

    def test_came_out_and_was_not_consumed(self):
        world, _, _ = piped()
        self.expect(13, finish(world, t_0=5))

    # 14
    def test_fenced_producer_wrote(self):
        world, writer, _ = piped()
        heir = world.start("w", "transact", life=1, txid="w")
        world.txn(heir, 0, ["t-0"])
        world.txn(writer, 3, ["t-0"])
        self.expect(14, finish(world))

    # 15
    def test_hole(self):
        world, _, _ = simple()
        world.put("t-0", None)
        world.finish()
        self.expect(15, world)

    # 16
    def test_wrong_time_look_up(self):
        world, _, _ = simple()
        world.finish()
        due = world.logs["t-0"][2][2]
        world.note("runner", e="ok", f="lookup", ts=due, r={"t-0": 3})
        self.expect(16, world)

    def test_wrong_end_of_the_epoch(self):
        world, _, _ = simple()
        world.finish()
        world.note("runner", e="ok", f="epochs", r={"t-0": 4})
        self.expect(16, world)

    # 17
    def test_producer_stays_silent(self):
        world, _, _ = simple()
        world.finish()
        self.expect(17, world)

    def test_reader_stays_behind(self):
        world, producer, reader = simple()
        world.files[reader][-1]["r"] = world.files[reader][-1]["r"][:3]
        world.finish()
        CleanHistories.heal(world, producer)
        self.expect(17, world)

    def test_stable_offset_is_stuck(self):
        world, producer, _ = simple()
        world.finish()
        CleanHistories.heal(world, producer)
        world.marks(t_0=[0, 2, 5])
        self.expect(17, world)

    # 18
    def test_too_tame(self):
        world, _, _ = simple()
        world.finish()
        self.expect(18, world, checker.Wanted(1, 1, 1))

    def test_no_scan(self):
        world, _, _ = simple()
        self.expect(18, world)


class Size(unittest.TestCase):
    def test_a_million_operations(self):
        """ODCHECK_OPERATIONS operations (a send and its read) are judged in seconds."""
        count = int(os.environ.get("ODCHECK_OPERATIONS", "20000")) // 2
        world = World()
        producer = world.start("p", "produce", acks="all", idempotent=True)
        reader = world.start("r", "consume")
        world.note(reader, e="assign", k=["t-0", "t-1"])
        for index in range(count):
            world.send(producer, f"t-{index % 2}")
        for place in ("t-0", "t-1"):
            records = world.records(place)
            for at in range(0, len(records), 100):
                world.note(reader, e="ok", f="poll", k=place, r=records[at : at + 100])
        world.finish()
        CleanHistories.heal(world, producer)
        self.assertEqual(world.broken(), set(), world.examples)


if __name__ == "__main__":
    unittest.main()
