# SPDX-License-Identifier: BSD-2-Clause
"""Writes the fuzzer's dictionary: headers, counts that lie, and short messages of every API."""

from emit_cases import Encoder
import random


def quoted(data):
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def emit_dictionary(schemas):
    words = {
        "null_int16": b"\xff\xff",
        "null_int32": b"\xff\xff\xff\xff",
        "count_int32_max": b"\x7f\xff\xff\xff",
        "count_uvarint_max": b"\xff\xff\xff\xff\x0f",
        "uvarint_too_long": b"\xff\xff\xff\xff\xff",
        "count_one": b"\x00\x00\x00\x01",
        "tag_of_one_byte": b"\x01\x00\x01\x00",
    }
    lines = ["# Generated from proto/ for libFuzzer."]
    lines += [f"{name}={quoted(data)}" for name, data in words.items()]
    for schema in schemas:
        for message in schema.messages:
            version = message.versions.high
            rng = random.Random(message.name)
            encoder = Encoder(rng, version, version >= message.flexible_since, 1)
            encoder.struct(message.top)
            if encoder.bytes:
                lines.append(f"{message.c_name}={quoted(encoder.bytes[:48])}")
    return "\n".join(lines) + "\n"
