# SPDX-License-Identifier: BSD-2-Clause
"""Reads the histories of a run and proves the invariants, or names what breaks them. Offline; O(n log n).

    checker.py DIRECTORY [--kills N] [--client-kills N] [--seconds N]

The model. Each life of a client wrote one file: what it was about to ask (invoke) and what it was told (ok: done; fail:
not done; info or nothing: nobody knows). Two scans at the end, one per isolation level, are the truth that everything
else is held against. A record's value is its id, `client.life:place:sequence:transaction`, and is sent once, so every
read can be traced to its invocation. Times are of one monotonic clock.

Soundness before completeness: where the history leaves open what happened, both ways are accepted.
"""

import argparse
import bisect
import collections
import glob
import json
import os
import sys
import time

INFINITY = 1 << 62
SECOND = 1_000_000_000
LATE_SECONDS = 5  # a request of a client that is gone is carried out within this time, or never
HEAL_SECONDS = 5
EXAMPLES_MAX = 3

INVARIANTS = {
    1: "no loss", 2: "offset agreement", 3: "no phantom", 4: "no duplicate", 5: "producer order", 6: "consumer order",
    7: "monotone marks", 8: "group offsets", 9: "group safety", 10: "transaction isolation", 11: "transaction atomicity",
    12: "no cycle", 13: "exactly once through pipes", 14: "fencing", 15: "no hole", 16: "look-ups", 17: "liveness",
    18: "validity of the run",
}  # fmt: skip


class Wanted:
    """How wild a run has to be in order to mean anything."""

    def __init__(self, broker_kills=0, client_kills=0, seconds=0):
        self.broker_kills = broker_kills
        self.client_kills = client_kills
        self.seconds = seconds


class Send:
    __slots__ = ("status", "offset", "invoked", "done", "source", "who", "place", "sequence", "txn")

    def __init__(self, identity, invoked, source):
        self.who, self.place, sequence, self.txn = identity.split(":")
        self.sequence = int(sequence)
        self.status, self.offset, self.invoked, self.done, self.source = "info", -1, invoked, INFINITY, source


class Txn:
    """`ended`: when its end was asked for; commit and abort: None, invoke, ok, info."""

    def __init__(self, who, number):
        self.who, self.number = who, number
        self.begun = self.commit_invoked = self.ended = self.done = INFINITY
        self.commit = self.abort = None
        self.sends, self.offsets = [], {}

    def fate(self):
        if self.commit == "ok":
            return "committed"
        return "aborted" if self.commit is None else "unknown"

    def __str__(self):
        return f"transaction {self.number} of {self.who}"


class Life:
    def __init__(self, path, start):
        self.path = path
        self.name, self.life, self.mode = start["p"], start["i"], start["mode"]
        self.who = f"{self.name}.{self.life}"
        self.acks, self.group, self.txid = start.get("acks", "all"), start.get("group", ""), start.get("txid", "")
        self.idempotent = bool(start.get("idempotent")) or bool(self.txid)
        self.committed_only = start.get("isolation") == "read_committed" or self.mode == "pipe"
        self.events = []
        self.born, self.ended = start["t"], INFINITY


class Commits:
    """What may have been committed for one group and place: entries are [invoked, done, offset, sure]."""

    def __init__(self, entries):
        self.entries = sorted(entries, key=lambda entry: entry[1])
        self.done = [entry[1] for entry in self.entries]
        self.newest, self.earliest = [-1], [INFINITY]
        for entry in self.entries:  # before each: when the newest one that is sure was asked for
            self.newest.append(max(self.newest[-1], entry[0] if entry[3] else -1))
        for entry in reversed(self.entries):  # from each: when the earliest was asked for
            self.earliest.append(min(self.earliest[-1], entry[0]))
        self.earliest.reverse()

    def allowed(self, begin, end):
        """Whatever may have taken effect before `end` and was not surely replaced before `begin`; -1: nothing."""
        newest = self.newest[bisect.bisect_left(self.done, begin)]
        found = {-1} if newest < 0 else set()
        at = bisect.bisect_right(self.done, newest)
        while self.earliest[at] < end:
            if self.entries[at][0] < end:
                found.add(self.entries[at][2])
            at += 1
        return found


class Run:
    """Everything that the histories say."""

    def __init__(self, directory):
        self.sends, self.txns, self.lives = {}, {}, {}
        self.runner, self.kills, self.log, self.visible, self.ends = [], [], {}, {}, {}
        self.commits = collections.defaultdict(list)  # (group, place) -> [invoked, done, offset, sure]
        self.count = 0
        for path in sorted(glob.glob(os.path.join(directory, "*.jsonl"))):
            self.read_file(path)
        self.runner.sort(key=lambda event: event["t"])
        marks = [event for event in self.runner if event.get("f") == "marks"]
        self.starts = {place: mark[0] for place, mark in marks[-1]["r"].items()} if marks else {}
        self.kills = [event["t"] for event in self.runner if event["e"] == "kill" and event["what"] == "broker"]
        self.settle_lives()
        self.settle_commits()
        self.places = sorted(self.log)
        self.order = {place: sorted(log) for place, log in self.log.items()}
        self.where = collections.defaultdict(list)
        for place in self.places:
            log = self.log[place]
            for offset in self.order[place]:
                self.where[log[offset][0]].append((place, offset))
        self.shown = {place: sorted(visible) for place, visible in self.visible.items()}

    # --- reading ---

    def read_file(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        lines = text.split("\n")
        complete = lines[:-1]  # a kill may cut the last one
        if not complete:
            return
        events = json.loads("[" + ",".join(complete) + "]")
        self.count += len(events)
        if events[0].get("e") != "start":
            self.runner.extend(events)
            return
        life = Life(path, events[0])
        if life.mode == "scan":
            self.read_scan(life, events)
            return
        self.lives[life.who] = life
        sends = self.sends
        for event in events:
            kind, what = event["e"], event.get("f")
            if what == "send":
                if kind == "invoke":
                    sends[event["v"]] = Send(event["v"], event["t"], event.get("src"))
                else:
                    send = sends[event["v"]]
                    send.status, send.done, send.offset = kind, event["t"], event.get("o", -1)
            elif "x" in event:
                self.read_txn(life, event)
            else:
                life.events.append(event)
        life.ended = events[-1]["t"]

    def read_txn(self, life, event):
        key = (life.who, event["x"])
        txn = self.txns.get(key) or self.txns.setdefault(key, Txn(*key))
        kind, what, at = event["e"], event["f"], event["t"]
        if what == "begin":
            txn.begun = at
        elif what == "offsets":
            txn.offsets = event["off"] if kind == "invoke" else txn.offsets
        else:
            setattr(txn, what, kind)
            if kind == "invoke":
                txn.ended = min(txn.ended, at)
                if what == "commit":
                    txn.commit_invoked = at
            elif kind == "ok":
                txn.done = at

    def read_scan(self, life, events):
        target = self.visible if life.committed_only else self.log
        for event in events:
            if event.get("f") == "poll":
                log = target.setdefault(event["k"], {})
                for offset, identity, timestamp in event["r"]:
                    log[offset] = (identity, timestamp)
            elif event.get("f") == "eof":
                target.setdefault(event["k"], {})
                if not life.committed_only:
                    self.ends[event["k"]] = event["o"]
        if life.committed_only:  # held against the other scan like any other reader
            self.lives[life.who] = life
            life.events = [event for event in events if event["e"] in ("assign", "ok", "bad") and event.get("f") != "eof"]

    def settle_lives(self):
        for event in self.runner:
            if event["e"] == "kill" and event["what"] == "client":
                life = self.lives.get(f"{event['p']}.{event['i']}")
                if life:
                    life.ended = max(life.ended, event["t"])
        for identity, send in self.sends.items():
            if send.txn != "-":
                txn = self.txns.get((send.who, int(send.txn)))
                if txn:
                    txn.sends.append(identity)

    def settle_commits(self):
        """What may have been committed for a group, when."""
        for life in self.lives.values():
            late = life.ended + LATE_SECONDS * SECOND
            asked = {}
            for event in life.events:
                if event.get("f") != "commit" or event["e"] == "end":
                    continue
                if event["e"] == "invoke":
                    asked[event["n"]] = entries = []
                    for place, offset in event["off"].items():
                        entry = [event["t"], late, offset, False]
                        entries.append(entry)
                        self.commits[life.group, place].append(entry)
                else:
                    for entry in asked[event["n"]]:
                        if event["e"] == "ok":
                            entry[1], entry[3] = event["t"], True
                        elif event["e"] == "fail" and not self.killed_within(entry[0], event["t"]):
                            entry[0] = INFINITY  # after a kill it may be the client's second try that was refused
        for txn in self.txns.values():
            life = self.lives[txn.who]
            if txn.commit is None or not life.group:
                continue
            late = life.ended + LATE_SECONDS * SECOND
            for place, offset in txn.offsets.items():
                sure = txn.commit == "ok"
                self.commits[life.group, place].append([txn.commit_invoked, txn.done if sure else late, offset, sure])
        self.commits = {key: Commits(entries) for key, entries in self.commits.items()}

    def killed_within(self, begin, end):
        at = bisect.bisect_left(self.kills, begin)
        return at < len(self.kills) and self.kills[at] <= end

    def allowed_commits(self, group, place, begin, end):
        """The offsets that a question between `begin` and `end` may have been answered with."""
        commits = self.commits.get((group, place))
        return commits.allowed(begin, end) if commits else {-1}


class Verdict:
    def __init__(self):
        self.examples = collections.defaultdict(list)
        self.counts = collections.Counter()

    def broken(self, invariant, text):
        self.counts[invariant] += 1
        if len(self.examples[invariant]) < EXAMPLES_MAX:
            self.examples[invariant].append(text)


class Checker:
    def __init__(self, run, wanted):
        self.run = run
        self.wanted = wanted
        self.verdict = Verdict()
        self.broken = self.verdict.broken
        self.facts = {}

    def check(self):
        run = self.run
        if not run.log or set(run.log) != set(run.visible):
            self.broken(18, f"the scans saw {sorted(run.log)} and {sorted(run.visible)}")
            return
        self.check_sends()
        self.check_log()
        self.check_readers()
        self.check_marks()
        self.check_groups()
        self.check_txns()
        self.check_stable_offsets()
        self.check_cycles()
        self.check_pipes()
        self.check_lookups()
        self.check_liveness()
        self.check_validity()

    # --- 1, 3, 4: each send, and each record ---

    def check_sends(self):
        run = self.run
        for identity, send in run.sends.items():
            life = run.lives[send.who]
            if send.status == "ok" and life.acks != "0":
                found = run.log.get(send.place, {}).get(send.offset)
                if found is None or found[0] != identity:
                    self.broken(1, f"{identity} was acknowledged at {send.place}@{send.offset}, there is {found and found[0]}")
        for identity, spots in run.where.items():
            send = run.sends.get(identity)
            if send is None:
                self.broken(3, f"{identity} at {spots[0]} was never sent")
                continue
            if send.status == "fail":
                self.broken(3, f"{identity} at {spots[0]} was reported as not written")
            if any(place != send.place for place, _ in spots):
                self.broken(3, f"{identity} is in {spots}")
            if len(spots) > 1:
                life = run.lives[send.who]
                if life.idempotent or not run.killed_within(send.invoked, send.done):
                    self.broken(4, f"{identity} is at {[offset for _, offset in spots]}")
        for life in run.lives.values():
            for event in life.events:
                if event["e"] == "bad":
                    self.broken(3, f"{life.who} read {event['k']}@{event['o']}: its {event['why']} is not what was sent")

    # --- 5, 14, 15: the order of the log ---

    def check_log(self):
        run = self.run
        touched = collections.Counter()
        for txn in run.txns.values():
            for place in {run.sends[identity].place for identity in txn.sends}:
                touched[place] += 1
        for place in run.places:
            newest, lives, log = {}, {}, run.log[place]
            for offset in run.order[place]:
                send = run.sends.get(log[offset][0])
                if send is None:
                    continue
                last = newest.get(send.who, -1)
                if send.sequence <= last and len(run.where[log[offset][0]]) == 1:
                    self.broken(5, f"{place}@{offset}: {log[offset][0]} comes after its producer's {last}")
                newest[send.who] = max(last, send.sequence)
                life = run.lives[send.who]
                if life.txid:
                    if life.life < lives.get(life.txid, -1):
                        self.broken(14, f"{place}@{offset}: {log[offset][0]} is behind life {lives[life.txid]}, which fenced it")
                    lives[life.txid] = max(life.life, lives.get(life.txid, -1))
            offsets = run.order[place]
            holes = run.ends.get(place, 0) - run.starts.get(place, 0) - len(offsets)
            # A transaction leaves one marker, after a crash perhaps another one.
            if holes > 2 * touched[place]:
                self.broken(15, f"{place}: {holes} offsets hold nothing, {touched[place]} transactions wrote there")

    # --- 2, 6, 10: what readers saw ---

    def check_readers(self):
        run = self.run
        ranks = {}
        for committed, order in ((False, run.order), (True, run.shown)):
            ranks[committed] = {place: {offset: rank for rank, offset in enumerate(offsets)} for place, offsets in order.items()}
        self.reads = 0
        self.seen = collections.defaultdict(list)  # place -> (time, offset), by committed readers
        self.reached = collections.defaultdict(dict)  # reader -> place -> (offset, time)
        for life in run.lives.values():
            if life.mode in ("consume", "scan"):
                self.check_reader(life, ranks[life.committed_only])

    def check_reader(self, life, ranks):
        run = self.run
        order = run.shown if life.committed_only else run.order
        last, since = {}, {}
        reader = life.group or life.name
        for event in life.events:
            if event["e"] == "assign":
                for place in event["k"]:
                    last[place], since[place] = None, event["t"]
            if event.get("f") != "poll":
                continue
            place, at = event["k"], event["t"]
            log, rank_of, before = run.log[place], ranks[place], last.get(place)
            for entry in event["r"]:
                offset, identity = entry[0], entry[1]
                self.reads += 1
                truth = log.get(offset)
                if truth is None or truth[0] != identity:
                    self.broken(2, f"{life.who} read {identity} at {place}@{offset}, there is {truth and truth[0]}")
                    before = None
                    continue
                rank = rank_of.get(offset)
                if life.committed_only and not self.read_is_committed(life, place, offset, identity, at, rank):
                    continue
                if before is None:
                    self.check_restart(life, place, offset, since.get(place, 0), at, order[place])
                elif rank != before + 1:
                    missing = order[place][before + 1] if rank > before else order[place][rank]
                    self.broken(6, f"{life.who} read {place}@{offset} after @{order[place][before]}, due was @{missing}")
                before = rank
            last[place] = before
            if event["r"]:
                offset = event["r"][-1][0]
                if life.committed_only:
                    self.seen[place].append((at, offset))
                if offset > self.reached[reader].get(place, (-1, 0))[0]:
                    self.reached[reader][place] = (offset, at)

    def read_is_committed(self, life, place, offset, identity, at, rank):
        send = self.run.sends.get(identity)
        txn = self.run.txns.get((send.who, int(send.txn))) if send and send.txn != "-" else None
        if txn and txn.fate() == "aborted":
            self.broken(10, f"{life.who} read {identity} at {place}@{offset}, which was never committed")
        elif txn and at < txn.commit_invoked:
            self.broken(10, f"{life.who} read {identity} at {place}@{offset} before its commit was asked for")
        elif rank is None:
            self.broken(11, f"{life.who} read {identity} at {place}@{offset}, the last reader did not")
        return rank is not None

    def check_restart(self, life, place, offset, since, at, order):
        """The first record after an assignment is the one that the group's commit points at."""
        if life.group and life.mode != "scan":
            allowed = self.run.allowed_commits(life.group, place, since, at)
        else:
            allowed = {-1}
        for commit in allowed:
            rank = bisect.bisect_left(order, commit)
            if rank < len(order) and order[rank] == offset:
                return
        self.broken(6, f"{life.who} began {place} at @{offset}, committed was {sorted(allowed)[:5]}")

    # --- 7: marks ---

    def check_marks(self):
        run = self.run
        acked, shown = collections.defaultdict(list), {}
        for send in run.sends.values():
            if send.status == "ok" and send.offset >= 0:
                acked[send.place].append((send.done, send.offset))
        acked = {place: Rising(pairs) for place, pairs in acked.items()}
        shown = {place: Rising(pairs) for place, pairs in self.seen.items()}
        before = None
        for event in run.runner:
            if event.get("f") != "marks":
                continue
            for place, (start, stable, high) in event["r"].items():
                if not start <= stable <= high:
                    self.broken(7, f"{place}: log start {start}, last stable offset {stable}, high watermark {high}")
                if place in acked and acked[place].at(event["t0"]) >= high:
                    self.broken(7, f"{place}: high watermark {high}, but @{acked[place].at(event['t0'])} was acknowledged")
                if place in shown and shown[place].at(event["t0"]) >= stable:
                    self.broken(7, f"{place}: last stable offset {stable}, but @{shown[place].at(event['t0'])} was read")
                if before is None:
                    continue
                was = before["r"][place]
                crashed = run.killed_within(before["t0"], event["t"])
                if start < was[0] or (not crashed and (stable < was[1] or high < was[2])):
                    self.broken(7, f"{place}: marks fell from {was} to {[start, stable, high]}")
            before = event

    # --- 8, 9: groups ---

    def check_groups(self):
        run = self.run
        for event in run.runner:
            if event.get("f") == "fetch":
                for place, offset in event["r"].items():
                    allowed = run.allowed_commits(event["g"], place, event["t0"], event["t"])
                    if offset not in allowed:
                        self.broken(8, f"{event['g']} {place}: fetched {offset}, committed was {sorted(allowed)[:5]}")
                    if offset > run.ends.get(place, 0):
                        self.broken(8, f"{event['g']} {place}: {offset} is behind the end {run.ends.get(place)}")
            elif event.get("f") == "owners":
                taken = {}
                for member, places in event["r"].items():
                    for place in places:
                        if taken.setdefault(place, member) != member:
                            self.broken(9, f"{event['g']}: {place} is owned by {member} and {taken[place]}")
        self.check_generations()

    def check_generations(self):
        owner, begun = {}, collections.defaultdict(list)
        self.rebalances = 0
        for life in self.run.lives.values():
            newest = -1
            for event in life.events:
                if event["e"] != "assign" or event.get("gen", -1) < 0:
                    self.rebalances += event["e"] == "assign"
                    continue
                self.rebalances += 1
                generation = event["gen"]
                if generation < newest:
                    self.broken(9, f"{life.who}: generation {generation} after {newest}")
                newest = generation
                begun[life.group].append((event["t"], generation))
                for place in event["k"]:
                    key = (life.group, generation, place)
                    if owner.setdefault(key, event["member"]) != event["member"]:
                        self.broken(9, f"{key}: assigned to {event['member']} and {owner[key]}")
        begun = {group: Rising(pairs) for group, pairs in begun.items()}
        for life in self.run.lives.values():
            asked = {}
            for event in life.events:
                if event.get("f") != "commit" or life.mode != "consume":
                    continue
                if event["e"] == "invoke":
                    asked[event["n"]] = event
                elif event["e"] == "ok" and asked[event["n"]].get("gen", -1) >= 0:
                    first = asked[event["n"]]
                    current = begun[life.group].at(first["t"]) if life.group in begun else -1
                    if first["gen"] < current:
                        self.broken(9, f"{life.who} committed in generation {first['gen']}, {current} had begun")

    # --- 10, 11: transactions ---

    def check_txns(self):
        run = self.run
        self.fates = collections.Counter()
        for txn in run.txns.values():
            fate = txn.fate()
            there = [(identity, spot) for identity in txn.sends for spot in run.where.get(identity, ())]
            shown = [identity for identity, (place, offset) in there if offset in run.visible[place]]
            told = [identity for identity in txn.sends if run.sends[identity].status == "ok"]
            self.fates[fate] += 1
            if fate == "aborted" and shown:
                self.broken(10, f"{txn} was not committed, {shown[0]} is shown")
            elif fate == "committed" or shown:
                whole = set(shown)
                hidden = [identity for identity, _ in there if identity not in whole]
                hidden += [identity for identity in told if identity not in run.where]
                if hidden:
                    self.broken(11, f"{txn} ({fate}): {len(shown)} records are shown, {hidden[0]} is not")

    def check_stable_offsets(self):
        """LSO <= first record of any transaction that is open throughout the question."""
        run = self.run
        firsts = collections.defaultdict(lambda: collections.defaultdict(list))
        for txn in run.txns.values():
            life = run.lives[txn.who]
            for identity in txn.sends:
                send = run.sends[identity]
                if send.status == "ok":
                    end = min(txn.ended, life.ended)
                    firsts[send.place][life.txid].append((send.done, end, send.offset))
        for producers in firsts.values():
            for entries in producers.values():
                entries.sort()
        starts = {place: {txid: [entry[0] for entry in entries] for txid, entries in producers.items()}
                  for place, producers in firsts.items()}
        for event in run.runner:
            if event.get("f") != "marks":
                continue
            for place, (_, stable, _) in event["r"].items():
                for txid, entries in firsts.get(place, {}).items():
                    at = bisect.bisect_left(starts[place][txid], event["t0"]) - 1
                    if at >= 0 and entries[at][1] > event["t1"] and stable > entries[at][2]:
                        self.broken(10, f"{place}: last stable offset {stable} passes an open transaction of {txid} at @{entries[at][2]}")

    # --- 12: cycles of what was read, and of time ---

    def check_cycles(self):
        """Nodes are transactions and moments. T -> moment: it was done by then; moment -> T: it began later."""
        run = self.run
        txns = [txn for txn in run.txns.values() if txn.commit is not None and txn.begun < INFINITY]
        done = sorted(txn.done for txn in txns if txn.done < INFINITY)
        number = {(txn.who, txn.number): len(done) + index for index, txn in enumerate(txns)}
        edges = [[index + 1] if index + 1 < len(done) else [] for index in range(len(done))] + [[] for _ in txns]
        for txn in txns:
            node = number[txn.who, txn.number]
            if txn.done < INFINITY:
                edges[node].append(bisect.bisect_left(done, txn.done))
            moment = bisect.bisect_left(done, txn.begun) - 1
            if moment >= 0:
                edges[moment].append(node)
            for identity in txn.sends:
                source = run.sends[identity].source
                if source is None:
                    continue
                place, _, offset = source.rpartition("@")
                read = run.sends.get(run.log.get(place, {}).get(int(offset), ("",))[0])
                writer = number.get((read.who, int(read.txn))) if read and read.txn != "-" else None
                if writer is not None and writer != node:
                    edges[writer].append(node)
        for cycle in components(edges):
            names = [str(txns[node - len(done)]) for node in cycle if node >= len(done)]
            self.broken(12, f"each read from or came after the next: {', '.join(names[:4])}")

    # --- 13: pipes ---

    def check_pipes(self):
        run = self.run
        final = {}
        for event in run.runner:
            if event.get("f") == "fetch":
                final[event["g"]] = event["r"]
        groups = collections.defaultdict(set)
        for life in run.lives.values():
            if life.mode == "pipe":
                groups[life.group].add(life.who)
        self.piped = 0
        for group, members in groups.items():
            taken = {}
            for place, visible in run.visible.items():
                for offset, (identity, _) in visible.items():
                    send = run.sends.get(identity)
                    if send is None or send.source is None or send.who not in members:
                        continue
                    self.piped += 1
                    if send.source in taken:
                        self.broken(13, f"{group}: {send.source} came out as {taken[send.source]} and as {identity}")
                    taken[send.source] = identity
            for place, committed in final.get(group, {}).items():
                wanted = {offset for offset in run.visible[place] if offset < committed}
                found = {int(source.rpartition("@")[2]) for source in taken if source.rpartition("@")[0] == place}
                if wanted - found:
                    self.broken(13, f"{group}: {place}@{min(wanted - found)} was consumed (committed {committed}) and never came out")
                if found - wanted:
                    self.broken(13, f"{group}: {place}@{min(found - wanted)} came out, though the group stands at {committed}")

    # --- 16: look-ups ---

    def check_lookups(self):
        run = self.run
        transactional = {run.sends[identity].place for txn in run.txns.values() for identity in txn.sends}
        models = {}
        for place in run.places:
            times, best = [], -1
            for offset in run.order[place]:
                timestamp = run.log[place][offset][1]
                if timestamp > best:
                    best = timestamp
                    times.append((timestamp, offset))
            models[place] = times
        for event in run.runner:
            if event.get("f") == "epochs":
                for place, end in event["r"].items():
                    if end != run.ends.get(place):
                        self.broken(16, f"{place}: the epoch ends at {end}, the log at {run.ends.get(place)}")
            elif event.get("f") == "lookup":
                for place, offset in event["r"].items():
                    times = models.get(place, [])
                    at = bisect.bisect_left(times, (event["ts"], -1))
                    due = times[at][1] if at < len(times) else -1
                    if place not in transactional and offset != due:  # there markers have timestamps, too
                        self.broken(16, f"{place}: for time {event['ts']} the answer is {offset}, due is {due}")

    # --- 17: liveness ---

    def check_liveness(self):
        run = self.run
        moment = {event["e"]: event["t"] for event in run.runner if event["e"] in ("heal", "quiesce", "quiet", "dry")}
        if len(moment) < 4:
            self.broken(17, f"the run did not come to its end: {sorted(moment)}")
            return
        for event in run.runner:
            if event["e"] == "stuck":
                self.broken(17, f"{event['p']} did not stop well: {event.get('why')}")
        healed = collections.defaultdict(lambda: INFINITY)
        for send in run.sends.values():
            if send.status == "ok" and send.done > moment["heal"]:
                name = run.lives[send.who].name
                healed[name] = min(healed[name], send.done)
        for name in {life.name for life in run.lives.values() if life.mode in ("produce", "transact")}:
            late = (healed[name] - moment["heal"]) / SECOND
            if late > HEAL_SECONDS:
                self.broken(17, f"{name} had nothing acknowledged for {min(late, 9999):.0f} s after the last heal")
        self.check_reached(moment)
        marks = [event for event in run.runner if event.get("f") == "marks"]
        for place, (_, stable, high) in (marks[-1]["r"] if marks else {}).items():
            if stable != high:
                self.broken(17, f"{place}: the last stable offset is stuck at {stable}, the end is {high}")

    def check_reached(self, moment):
        """What was there when the sources were quiet (the pipes: dry) was read in time."""
        run = self.run
        sinks = {send.place for send in run.sends.values() if send.source is not None}
        topics = collections.defaultdict(set)
        for life in run.lives.values():
            if life.mode == "consume":
                topics[life.group or life.name, life.committed_only].update(
                    place for event in life.events if event["e"] == "assign" for place in event["k"]
                )
        for (reader, committed), places in topics.items():
            for place in places:
                order = run.shown[place] if committed else run.order[place]
                since = moment["dry" if place in sinks else "quiet"]
                offset, at = self.reached[reader].get(place, (-1, 0))
                if order and (offset < order[-1] or at > since + HEAL_SECONDS * SECOND):
                    self.broken(17, f"{reader} stands at {place}@{offset}, the end is @{order[-1]}, {(at - since) / SECOND:.1f} s late")

    # --- 18: was it wild enough? ---

    def check_validity(self):
        run, wanted = self.run, self.wanted
        pids = {event.get("pid") for event in run.runner if event["e"] == "kill" and event["what"] == "broker"}
        client_kills = sum(event["e"] == "kill" and event["what"] == "client" for event in run.runner)
        status = collections.Counter(send.status for send in run.sends.values())
        in_flight = sum(flight > 0 for flight in self.flights())
        facts = self.facts = {
            "broker kills": (len(pids), wanted.broker_kills),
            "kills with records in flight": (in_flight, wanted.broker_kills // 2),
            "client kills": (client_kills, wanted.client_kills // 2),
            "records of unknown fate": (status["info"], wanted.client_kills // 2),
            "records acknowledged": (status["ok"], int(60 * wanted.seconds)),
            "records read": (self.reads, int(60 * wanted.seconds)),
            "transactions committed": (self.fates["committed"], int(wanted.seconds)),
            "transactions aborted": (self.fates["aborted"], int(wanted.seconds / 4)),
            "records through pipes": (self.piped, int(10 * wanted.seconds)),
            "assignments": (self.rebalances, wanted.client_kills),
            "looks at the marks": (sum(event.get("f") == "marks" for event in run.runner), int(wanted.seconds / 2)),
        }
        for name, (found, least) in facts.items():
            if found < least:
                self.broken(18, f"too tame: {found} {name}, wanted are {least}")

    def flights(self):
        """For each kill of the broker: how many records had been sent and not answered."""
        kills = self.run.kills
        changes = [0] * (len(kills) + 1)
        for send in self.run.sends.values():
            first = bisect.bisect_left(kills, send.invoked)
            last = bisect.bisect_left(kills, min(send.done, self.run.lives[send.who].ended))
            if first < last:
                changes[first] += 1
                changes[last] -= 1
        total, flights = 0, []
        for change in changes[:-1]:
            total += change
            flights.append(total)
        return flights


class Rising:
    """The greatest value of all pairs (time, value) before a time."""

    def __init__(self, pairs):
        self.times, self.values, best = [], [], -1
        for at, value in sorted(pairs):
            best = max(best, value)
            self.times.append(at)
            self.values.append(best)

    def at(self, moment):
        index = bisect.bisect_left(self.times, moment)
        return self.values[index - 1] if index else -1


def components(edges):
    """Strongly connected components of more than one node (Tarjan, without recursion)."""
    index, low, on_stack, stack, found, counter = {}, {}, set(), [], [], 0
    for root in range(len(edges)):
        if root in index:
            continue
        work = [(root, 0)]
        while work:
            node, at = work.pop()
            if at == 0:
                index[node] = low[node] = counter
                counter += 1
                stack.append(node)
                on_stack.add(node)
            for position in range(at, len(edges[node])):
                target = edges[node][position]
                if target not in index:
                    work.append((node, position + 1))
                    work.append((target, 0))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    if len(component) > 1:
                        found.append(component)
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
    return found


def judge(directory, wanted, failed=None):
    """(good, lines): a line per invariant, the last one `N passed, N failed`."""
    started = time.monotonic()
    lines, bad = [], 0
    try:
        run = Run(directory)
        checker = Checker(run, wanted)
        checker.check()
    except (OSError, ValueError, KeyError) as error:
        if failed is None:
            raise
        return False, [f"FAIL run: {failed}", f"# and no whole history: {type(error).__name__} {error}", "0 passed, 1 failed"]
    verdict = checker.verdict
    for invariant, name in INVARIANTS.items():
        count = verdict.counts[invariant]
        bad += count > 0
        lines.append(f"{'FAIL' if count else 'ok'} {invariant} {name}" + (f": {count} times" if count else ""))
        lines += [f"VIOLATION {invariant} {text}" for text in verdict.examples[invariant]]
    if failed:
        bad += 1
        lines.append(f"FAIL run: {failed}")
    lines += [f"# {name}: {found}" for name, (found, _) in checker.facts.items()]
    lines.append(f"# {run.count} events judged in {time.monotonic() - started:.1f} s")
    lines.append(f"{len(INVARIANTS) + bool(failed) - bad} passed, {bad} failed")
    return bad == 0, lines


def main():
    parser = argparse.ArgumentParser(description="Proves the invariants of a run from its histories.")
    parser.add_argument("directory")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--client-kills", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    options = parser.parse_args()
    good, lines = judge(options.directory, Wanted(options.kills, options.client_kills, options.seconds))
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
