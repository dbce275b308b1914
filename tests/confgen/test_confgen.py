#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The generator of configuration keys: what it makes of a list, and what it says of a bad one. The real list is checked by
tests/broker/test_config.c, through the table and the page made from it."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "confgen"))

import confgen  # noqa: E402

GOOD = """\
# a comment
one.ms long(0..) dynamic default 5 dev 7
    Waits.
    Long.
two enum(a,b) topic default a like one.ms
    Says "so".
three string default ""
    Empty.
ignored: Not here.
    z int
    y double(0..0.5) default 0.2
"""

BAD = {
    "x": "1: a key needs at least its name and its type",
    "x number\n  t": "1: x: its type must be one of",
    "x int dynamic dynamic\n  t": "1: x: 'dynamic' is not one of",
    "x int default\n  t": "1: x: 'default' is not one of",
    "x int(5)\n  t": "1: x: a range is written LOW..HIGH",
    "x enum\n  t": "1: x: an enum names its choices",
    "x int\n  t\nx int\n  t": "3: x stands here twice",
    "  t": "1: text before the first key",
    'x string default "a" b"\n  t': "1: cannot read",
    "x int\ny int\n  t": "0: x has no text",
}


class Confgen(unittest.TestCase):
    def test_rows(self):
        rows = [key.row().strip() for key in confgen.parse(GOOD.splitlines())]
        self.assertEqual(rows, [
            '{"one.ms", CONFIG_LONG, CONFIG_SCOPE_BROKER | CONFIG_SCOPE_DYNAMIC, "5", "7", NULL, 0, LONG_MAX_D, NULL, '
            '"Waits. Long."},',
            '{"two", CONFIG_ENUM, CONFIG_SCOPE_TOPIC, "a", NULL, "one.ms", 0, 0, "a,b", "Says \\"so\\"."},',
            '{"three", CONFIG_STRING, CONFIG_SCOPE_BROKER, "", NULL, NULL, 0, 0, NULL, "Empty."},',
            '{"y", CONFIG_DOUBLE, CONFIG_SCOPE_BROKER | CONFIG_SCOPE_IGNORED, "0.2", NULL, NULL, 0, 0.5, NULL, "Not here."},',
            '{"z", CONFIG_INT, CONFIG_SCOPE_BROKER | CONFIG_SCOPE_IGNORED, NULL, NULL, NULL, INT32_MIN, INT32_MAX, NULL, '
            '"Not here."},',
        ])

    def test_refusals(self):
        for text, message in BAD.items():
            with self.subTest(text=text), self.assertRaises(confgen.Wrong) as caught:
                confgen.parse(text.splitlines())
            self.assertIn(message, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
