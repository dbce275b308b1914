#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
protogen: proto/*.api and proto/records/*.record -> C codec, tables, documentation, test cases.

    protogen.py list DIR                        names of the schemas in DIR, for the build files
    protogen.py codec --out DIR SCHEMA...       <name>.gen.h and <name>.gen.c for each schema
    protogen.py errors --out DIR LIST           errors.gen.h and errors.gen.c
    protogen.py table --out FILE SCHEMA...      the table of served APIs, api_table.gen.c
    protogen.py cases --out DIR SCHEMA...       codec_messages.gen.c and codec_cases.bin, for the tests
    protogen.py dictionary --out FILE SCHEMA... for the fuzzer
    protogen.py docs --served A,B [--check] --out FILE SCHEMA...
                                                docs/compatibility.md; --check only compares
"""

import argparse
import pathlib
import sys

from emit_cases import emit_cases, emit_messages
from emit_code import emit_code
from emit_dictionary import emit_dictionary
from emit_docs import emit_docs
from emit_header import emit_header
from emit_table import emit_table
from errors import emit_errors_code, emit_errors_header, parse_errors
from parse import parse
from schema import SchemaError
from validate import validate


def load(path):
    schema = parse(str(path), pathlib.Path(path).read_text())
    validate(schema)
    expected = pathlib.Path(path).stem
    if schema.c_name != expected:
        raise SchemaError(path, schema.line, f"`{schema.name}` belongs into a file {schema.c_name}")
    return schema


def write(path, text):
    """Leaves a file alone that is right already, so that nothing is built again."""
    path = pathlib.Path(path)
    data = text if isinstance(text, bytes) else text.encode()
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def command_list(args):
    for path in sorted(pathlib.Path(args.dir).iterdir()):
        if path.suffix in (".api", ".record"):
            print(path.stem)


def command_codec(args):
    for path in args.schemas:
        schema = load(path)
        write(pathlib.Path(args.out) / f"{schema.c_name}.gen.h", emit_header(schema))
        write(pathlib.Path(args.out) / f"{schema.c_name}.gen.c", emit_code(schema))


def command_errors(args):
    errors = parse_errors(args.list, pathlib.Path(args.list).read_text())
    write(pathlib.Path(args.out) / "errors.gen.h", emit_errors_header(errors))
    write(pathlib.Path(args.out) / "errors.gen.c", emit_errors_code(errors))


def command_table(args):
    write(args.out, emit_table([load(path) for path in args.schemas]))


def command_cases(args):
    schemas = [load(path) for path in args.schemas]
    write(pathlib.Path(args.out) / "codec_messages.gen.c", emit_messages(schemas))
    write(pathlib.Path(args.out) / "codec_cases.bin", emit_cases(schemas))


def command_dictionary(args):
    write(args.out, emit_dictionary([load(path) for path in args.schemas]))


def command_docs(args):
    text = emit_docs([load(path) for path in args.schemas], args.served.split(","))
    if not args.check:
        write(args.out, text)
    elif pathlib.Path(args.out).read_text() != text:
        print(f"{args.out}:1: error: not current; run `meson compile update-docs`", file=sys.stderr)
        return 1
    return 0


def main():
    parser = argparse.ArgumentParser(prog="protogen")
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("list")
    sub.add_argument("dir")
    sub.set_defaults(run=command_list)
    sub = commands.add_parser("codec")
    sub.add_argument("--out", required=True)
    sub.add_argument("schemas", nargs="+")
    sub.set_defaults(run=command_codec)
    sub = commands.add_parser("errors")
    sub.add_argument("--out", required=True)
    sub.add_argument("list")
    sub.set_defaults(run=command_errors)
    sub = commands.add_parser("table")
    sub.add_argument("--out", required=True)
    sub.add_argument("schemas", nargs="*")
    sub.set_defaults(run=command_table)
    sub = commands.add_parser("cases")
    sub.add_argument("--out", required=True)
    sub.add_argument("schemas", nargs="+")
    sub.set_defaults(run=command_cases)
    sub = commands.add_parser("dictionary")
    sub.add_argument("--out", required=True)
    sub.add_argument("schemas", nargs="+")
    sub.set_defaults(run=command_dictionary)
    sub = commands.add_parser("docs")
    sub.add_argument("--out", required=True)
    sub.add_argument("--served", default="")
    sub.add_argument("--check", action="store_true")
    sub.add_argument("schemas", nargs="+")
    sub.set_defaults(run=command_docs)
    args = parser.parse_args()
    try:
        return args.run(args)
    except SchemaError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
