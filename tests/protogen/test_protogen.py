#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The generator against goldens (data/*.api -> data/*.expected, compared verbatim) and against bad
schemas (data/bad/*), each of which must fail with the message in its first line: `# expect: LINE: text`.
`test_protogen.py --update` writes the goldens anew.
"""

import pathlib
import random
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
DATA = HERE / "data"
sys.path.insert(0, str(TOP / "tools" / "protogen"))
sys.dont_write_bytecode = True

import emit_cases  # noqa: E402
import emit_code  # noqa: E402
import emit_dictionary  # noqa: E402
import emit_docs  # noqa: E402
import emit_header  # noqa: E402
import emit_table  # noqa: E402
import errors  # noqa: E402
import protogen  # noqa: E402
from schema import SchemaError, snake  # noqa: E402

# Not in Kafka's newest version, and why.
BEHIND = {}


def goldens():
    """Name of the generated file -> text."""
    out = {}
    apis = []
    for path in sorted([*DATA.glob("*.api"), *DATA.glob("*.record")]):
        schema = protogen.load(path)
        out[f"{schema.c_name}.gen.h"] = emit_header.emit_header(schema)
        out[f"{schema.c_name}.gen.c"] = emit_code.emit_code(schema)
        if schema.kind == "api":
            apis.append(schema)
    out["api_table.gen.c"] = emit_table.emit_table(apis)
    out["compatibility.md"] = emit_docs.emit_docs(apis, ["demo_everything"])
    out["demo.dict"] = emit_dictionary.emit_dictionary(apis)
    return out


class Goldens(unittest.TestCase):
    maxDiff = None

    def test_goldens(self):
        for name, text in goldens().items():
            with self.subTest(name):
                self.assertEqual((DATA / f"{name}.expected").read_text(), text)


class BadSchemas(unittest.TestCase):
    def test_bad_schemas_fail_at_their_line(self):
        paths = sorted((DATA / "bad").iterdir())
        self.assertTrue(paths)
        for path in paths:
            with self.subTest(path.name):
                expected = path.read_text().splitlines()[0].removeprefix("# expect: ")
                line, _, text = expected.partition(": ")
                with self.assertRaises(SchemaError) as caught:
                    protogen.load(path)
                self.assertEqual(str(caught.exception), f"{path}:{line}: error: {text}")

    def test_bad_errors_fail_at_their_line(self):
        for text, line in (("A 1 no x\nB 1 no y\n", 2), ("A 1 maybe x\n", 1), ("\nA 40000 no x\n", 2)):
            with self.subTest(text):
                with self.assertRaises(SchemaError) as caught:
                    errors.parse_errors("errors.list", text)
                self.assertIn(f"errors.list:{line}: error: ", str(caught.exception))


class Schemas(unittest.TestCase):
    """What holds for all schemas of proto/."""

    def load_all(self):
        for path in sorted((TOP / "proto").glob("**/*")):
            if path.suffix in (".api", ".record"):
                yield protogen.load(path)

    def test_keys_are_unique_and_documented(self):
        keys = {}
        for schema in self.load_all():
            if schema.kind == "api":
                self.assertNotIn(schema.key, keys)
                keys[schema.key] = schema
                self.assertTrue(schema.purpose, schema.path)
                self.assertIsNotNone(schema.kafka, schema.path)
                if schema.name not in BEHIND:
                    self.assertEqual(schema.kafka.high, schema.versions.high, schema.path)
                self.assertLessEqual(schema.versions.low, schema.kafka.low, schema.path)
                self.assertTrue(schema.comment, f"{schema.path}: say in a comment what the API is for")

    def test_shortest_encodings_are_as_long_as_the_reader_thinks(self):
        for schema in self.load_all():
            for message in schema.messages:
                for struct in message.structs:
                    for version in struct.versions:
                        flexible = version >= message.flexible_since
                        encoder = emit_cases.Encoder(random.Random(0), version, flexible, 0)
                        encoder.struct(struct)
                        expected = struct.wire_size_min(version, message.flexible_since)
                        self.assertEqual(len(encoder.bytes), expected, f"{message.name} {struct.name} {version}")

    def test_snake(self):
        for name, expected in (("TopicId", "topic_id"), ("ISRNodes", "isr_nodes"), ("V3AndBelowTopics", "v3_and_below_topics")):
            self.assertEqual(snake(name), expected)


class Write(unittest.TestCase):
    def test_file_that_is_right_is_left_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "x"
            protogen.write(path, "a")
            before = path.stat().st_ino, path.stat().st_mtime_ns
            protogen.write(path, "a")
            self.assertEqual(before, (path.stat().st_ino, path.stat().st_mtime_ns))
            protogen.write(path, "b")
            self.assertEqual(path.read_text(), "b")


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        for name, text in goldens().items():
            protogen.write(DATA / f"{name}.expected", text)
    else:
        unittest.main()
