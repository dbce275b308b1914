#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns the list of configuration keys (src/broker/config/keys.txt) into the table config_keys.

    confgen.py KEYS.TXT OUT.C

The list's head explains its form. What is wrong with it is told as FILE:LINE: what, and what to do.
"""

import re
import sys

TYPES = ("bool", "int", "long", "double", "string", "list", "password", "enum")
RANGES = {"int": ("INT32_MIN", "INT32_MAX"), "long": ("LONG_MIN_D", "LONG_MAX_D"), "double": ("-DBL_MAX", "DBL_MAX")}
SCOPES = ("topic", "group", "dynamic", "ignored")
VALUES = ("default", "dev", "like")
HEAD = """\
/* Made by tools/confgen from src/broker/config/keys.txt. */
#include "base/memory.h"
#include "broker/config/config.h"

#include <float.h>

#define LONG_MAX_D 9223372036854775807.0
#define LONG_MIN_D (-9223372036854775807.0)

const struct config_key config_keys[] = {
"""
TAIL = """\
};
const size_t config_keys_count = ARRAY_COUNT(config_keys);
"""


class Wrong(Exception):
    pass


def words_of(line):
    """Words, and "quoted ones" that may be empty."""
    words, rest = [], line.strip()
    while rest:
        match = re.match(r'"([^"]*)"(?:\s+|$)|([^\s"]+)(?:\s+|$)', rest)
        if not match:
            raise Wrong(f"cannot read {rest!r}: a value with spaces or quotes stands between double quotes")
        words.append(match.group(1) if match.group(1) is not None else match.group(2))
        rest = rest[match.end():]
    return words


class Key:
    def __init__(self, line):
        words = words_of(line)
        if len(words) < 2:
            raise Wrong("a key needs at least its name and its type")
        self.name = words.pop(0)
        match = re.fullmatch(r"([a-z]+)(?:\((.*)\))?", words.pop(0))
        if not match or match.group(1) not in TYPES:
            raise Wrong(f"{self.name}: its type must be one of {', '.join(TYPES)}")
        self.type, limits = match.groups()
        self.scopes, self.values, self.text = [], {}, ""
        self.min, self.max, self.choices = "0", "0", None
        self.limit(limits)
        while words:
            word = words.pop(0)
            if word in SCOPES and word not in self.scopes:
                self.scopes.append(word)
            elif word in VALUES and word not in self.values and words:
                self.values[word] = words.pop(0)
            else:
                raise Wrong(f"{self.name}: {word!r} is not one of {', '.join(SCOPES + VALUES)}, or comes twice, or lacks its value")

    def limit(self, limits):
        """What stands between parentheses: a range for numbers, choices for the rest."""
        if self.type in RANGES:
            self.min, self.max = RANGES[self.type]
            if limits:
                low, dots, high = limits.partition("..")
                if not dots:
                    raise Wrong(f"{self.name}: a range is written LOW..HIGH, either may be missing")
                self.min, self.max = low or self.min, high or self.max
        elif limits:
            self.choices = limits
        if self.type == "enum" and not self.choices:
            raise Wrong(f"{self.name}: an enum names its choices: enum(one,other)")

    def row(self):
        scopes = [scope for scope in self.scopes if scope in ("topic", "group")] or ["broker"]
        scopes += [scope for scope in ("dynamic", "ignored") if scope in self.scopes]
        scope = " | ".join(f"CONFIG_SCOPE_{scope.upper()}" for scope in scopes)
        words = [quote(self.name), f"CONFIG_{self.type.upper()}", scope]
        words += [quote(self.values.get(value)) for value in VALUES]
        words += [self.min, self.max, quote(self.choices), quote(self.text)]
        return f"    {{{', '.join(words)}}},\n"


def quote(text):
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse(lines):
    """Lines without indentation are keys and headings, indented ones what belongs to them. Below a heading `ignored: WHY`
    those are keys, otherwise the key's text."""
    keys, ignored, why, names = [], [], None, set()

    def add(line, to):
        key = Key(line)
        place = (key.name, "topic" in key.scopes, "group" in key.scopes)
        if place in names:
            raise Wrong(f"{key.name} stands here twice")
        names.add(place)
        to.append(key)

    for number, line in enumerate(lines, 1):
        try:
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("ignored:"):
                why = line.partition(":")[2].strip()
            elif not line[0].isspace():
                why = None
                add(line, keys)
            elif why is not None:
                add(line, ignored)
                ignored[-1].scopes.append("ignored")
                ignored[-1].text = why
            elif keys:
                keys[-1].text = f"{keys[-1].text} {line.strip()}".strip()
            else:
                raise Wrong("text before the first key")
        except Wrong as wrong:
            raise Wrong(f"{number}: {wrong}") from None
    for key in keys:
        if not key.text:
            raise Wrong(f"0: {key.name} has no text: say in a sentence or two what it does")
    return keys + sorted(ignored, key=lambda key: key.name)


def main():
    source, out = sys.argv[1:]
    try:
        with open(source, encoding="utf-8") as file:
            keys = parse(file)
    except Wrong as wrong:
        sys.exit(f"{source}:{wrong}")
    with open(out, "w", encoding="utf-8") as file:
        file.write(HEAD + "".join(key.row() for key in keys) + TAIL)


if __name__ == "__main__":
    main()
