# SPDX-License-Identifier: BSD-2-Clause
"""Reads proto/errors.list and writes wire/errors.gen.h and .c."""

import re
from dataclasses import dataclass

from schema import INTEGERS, SchemaError
from text import HEAD, Text

LINE = re.compile(r"([A-Z][A-Z0-9_]*) +(-?\d+) +(yes|no) +(.+)$")


@dataclass
class Error:
    name: str
    code: int
    retriable: bool
    message: str


def parse_errors(path, text):
    errors, names, codes = [], set(), set()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() == "" or line.startswith("#"):
            continue
        match = LINE.match(line)
        if not match:
            raise SchemaError(path, number, "expected `NAME code yes|no message`")
        error = Error(match[1], int(match[2]), match[3] == "yes", match[4])
        if error.name in names or error.code in codes:
            raise SchemaError(path, number, f"`{error.name}` or its code is there twice")
        low, high = INTEGERS["int16"]
        if not low <= error.code <= high:
            raise SchemaError(path, number, f"{error.code} does not fit into int16")
        names.add(error.name)
        codes.add(error.code)
        errors.append(error)
    return errors


def emit_errors_header(errors):
    out = Text()
    out.add(HEAD)
    out.add("#pragma once")
    out.comment(
        [
            "The protocol's error codes. Generated from proto/errors.list.",
            "An error in a message is an int16_t; the functions take any value, known or not.",
        ]
    )
    out.add("#include <stdbool.h>")
    out.add("#include <stdint.h>")
    out.add()
    out.open("enum kafka_error {")
    for error in errors:
        out.add_commented(f"KAFKA_ERROR_{error.name} = {error.code},", error.message)
    out.close("};")
    out.add()
    out.comment(['Kafka\'s name, "UNKNOWN_TOPIC_OR_PARTITION"; "UNKNOWN_ERROR_CODE" for others.'])
    out.add("const char *kafka_error_name(int16_t code);")
    out.comment(["What it means, for people; never NULL."])
    out.add("const char *kafka_error_message(int16_t code);")
    out.comment(["Whether a client may simply try again."])
    out.add("bool kafka_error_is_retriable(int16_t code);")
    return str(out)


def emit_errors_code(errors):
    out = Text()
    out.add(HEAD)
    out.comment(["Generated from proto/errors.list."])
    out.add('#include "wire/errors.gen.h"')
    out.add()
    emit_switch(out, "const char *kafka_error_name", errors, lambda e: f'"{e.name}"', '"UNKNOWN_ERROR_CODE"')
    emit_switch(
        out, "const char *kafka_error_message", errors, lambda e: f'"{e.message}"', '"unknown error code"'
    )
    out.add("bool kafka_error_is_retriable(int16_t code)")
    out.open("{")
    out.open("switch (code) {")
    out.depth -= 1
    for error in errors:
        if error.retriable:
            out.add(f"case KAFKA_ERROR_{error.name}:")
    out.lines[-1] += " return true;"
    out.add("default: return false;")
    out.add("}")
    out.close()
    return str(out)


def emit_switch(out, function, errors, value, otherwise):
    out.add(f"{function}(int16_t code)")
    out.open("{")
    out.open("switch (code) {")
    out.depth -= 1
    for error in errors:
        line = f"case KAFKA_ERROR_{error.name}: return {value(error)};"
        if len(line) + 4 <= 100:
            out.add(line)
        else:
            out.add(f"case KAFKA_ERROR_{error.name}:")
            out.add(f"    return {value(error)};")
    out.add(f"default: return {otherwise};")
    out.add("}")
    out.close()
    out.add()
