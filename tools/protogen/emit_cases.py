# SPDX-License-Identifier: BSD-2-Clause
"""
Writes what the codec test reads: for every message, version and seed a message in bytes, made by an
encoder of its own (so that the generated C is checked against something else), and the places of its
counts and lengths, for the test to lie about.

The file is big-endian: per case u16 index of the message in the table, i16 version, u32 size and the
bytes, u16 number of marks, and per mark u32 position, u8 width, u8 form (below).
"""

import random
import struct

from emit_code import Code
from schema import INTEGERS
from text import HEAD

INT16, INT32, COMPACT, TAG_COUNT, TAG_SIZE = range(5)
SEEDS = 4


class Encoder:
    def __init__(self, rng, version, flexible, fill):
        self.rng = rng
        self.version = version
        self.flexible = flexible
        self.fill = fill  # 0: as little as possible, else how much
        self.bytes = bytearray()
        self.marks = []

    def uvarint(self, value):
        while value >= 0x80:
            self.bytes.append(value & 0x7F | 0x80)
            value >>= 7
        self.bytes.append(value)

    def marked(self, form, write):
        at = len(self.bytes)
        write()
        self.marks.append((at, len(self.bytes) - at, form))

    def length(self, size, classic):
        """A length or count; None is null."""
        if self.flexible:
            self.marked(COMPACT, lambda: self.uvarint(0 if size is None else size + 1))
        else:
            code = ">h" if classic == INT16 else ">i"
            self.marked(classic, lambda: self.bytes.extend(struct.pack(code, -1 if size is None else size)))

    def struct(self, s):
        for f in s.plain_fields():
            if self.version in f.versions:
                self.field(f)
        if self.flexible:
            self.tags(s)

    def tags(self, s):
        tags = [f for f in s.tagged_fields() if self.version in f.versions and (self.fill or self.says_null(f))]
        values = []
        for f in tags:
            inner = Encoder(self.rng, self.version, True, self.fill)
            inner.field(f, tagged=True)
            if self.says_null(f) or not self.is_default(f, bytes(inner.bytes)):
                values.append((f.tag, inner))
        self.marked(TAG_COUNT, lambda: self.uvarint(len(values)))
        for tag, inner in values:
            self.uvarint(tag)
            self.marked(TAG_SIZE, lambda: self.uvarint(len(inner.bytes)))
            base = len(self.bytes)
            self.bytes += inner.bytes
            self.marks += [(base + at, width, form) for at, width, form in inner.marks]

    def says_null(self, f):
        """A tagged struct that may be null is written even when it is."""
        return f.struct is not None and not f.array and not f.nullable.empty

    def is_default(self, f, value):
        """Whether an encoder would leave this tagged value out."""
        plain = Encoder(self.rng, self.version, True, 0)
        plain.default_field(f)
        return value == bytes(plain.bytes)

    def default_field(self, f):
        if f.struct is not None and not f.array:
            for inner in f.struct.plain_fields():
                if self.version in inner.versions:
                    self.default_field(inner)
            self.uvarint(0)
        elif f.array or f.type in ("string", "bytes", "records"):
            null = f.default_null or f.type == "records"
            self.length(None if null else len(f.default or '""') - 2, INT32)
            if f.default and not f.default_null:
                self.bytes += f.default[1:-1].encode()
        elif f.type == "uuid":
            self.bytes += bytes(16)
        elif f.type == "bool":
            self.bytes.append(f.default == "true")
        elif f.type == "float64":
            self.bytes += bytes(8)
        else:
            self.integer(f.type, int(f.default or "0", 0))

    def field(self, f, tagged=False):
        null = self.version in f.nullable and (self.fill == 0 or self.rng.random() < 0.3)
        if f.array:
            count = None if null else self.rng.randint(1 if tagged else 0, self.fill)
            self.length(count, INT32)
            for _ in range(count or 0):
                self.value(f, False)
        elif f.struct is not None and not f.nullable.empty:
            self.bytes.append((0 if tagged else 0xFF) if null else 1)
            if not null:
                self.struct(f.struct)
        else:
            self.value(f, null)

    def value(self, f, null):
        if f.struct is not None:
            self.struct(f.struct)
        elif f.type == "string":
            self.run(None if null else self.rng.choice([0, 1, 3, 11, 150]), INT16, ascii=True)
        elif f.type in ("bytes", "records"):
            self.run(None if null else self.rng.choice([0, 1, 5, 40, 200]), INT32, ascii=False)
        elif f.type == "bool":
            self.bytes.append(self.rng.randint(0, 1) if self.fill else 0)
        elif f.type == "uuid":
            self.bytes += self.rng.randbytes(16)
        elif f.type == "float64":
            self.bytes += struct.pack(">d", self.rng.choice([0.0, -1.5, 1e300]))
        else:
            low, high = INTEGERS[f.type]
            self.integer(f.type, self.rng.choice([0, 1, low, high, self.rng.randint(low, high)]))

    def run(self, size, classic, ascii):
        if self.fill == 0 and size is not None:
            size = 0
        self.length(size, classic)
        if ascii:
            self.bytes += bytes(self.rng.choices(b"abcxyz.-_\"\\\n\xc3", k=size or 0))
        else:
            self.bytes += self.rng.randbytes(size or 0)

    def integer(self, kind, value):
        self.bytes += struct.pack(
            {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q"}[kind],
            value,
        )


def messages_of(schemas):
    return [message for schema in schemas for message in schema.messages]


def emit_cases(schemas):
    out = bytearray()
    for index, message in enumerate(messages_of(schemas)):
        for version in message.versions:
            for seed in range(SEEDS):
                rng = random.Random(f"{message.name} {version} {seed}")
                encoder = Encoder(rng, version, version >= message.flexible_since, seed)
                encoder.struct(message.top)
                out += struct.pack(">HhI", index, version, len(encoder.bytes)) + encoder.bytes
                out += struct.pack(">H", len(encoder.marks))
                for mark in encoder.marks:
                    out += struct.pack(">IBB", *mark)
    return bytes(out)


def emit_messages(schemas):
    """The table of all messages, by index, for the tests and the fuzz target."""
    out = Code()
    out.add(HEAD)
    out.comment(["Every message of every schema. Generated from proto/."])
    out.add('#include "wire/codec_messages.h"')
    out.add()
    for schema in schemas:
        out.add(f'#include "wire/{schema.c_name}.gen.h"')
    out.add()
    for message in messages_of(schemas):
        emit_thunks(out, message)
    out.open("const struct codec_message codec_messages[] = {")
    for message in messages_of(schemas):
        n = message.c_name
        out.open("{")
        out.add(f'.name = "{message.name}",')
        out.add(f".version_min = {message.versions.low},")
        out.add(f".version_max = {message.versions.high},")
        out.add(f".struct_size = sizeof(struct {n}),")
        for verb in ("init", "decode", "size", "encode", "print"):
            out.add(f".{verb} = codec_{n}_{verb},")
        out.close("},")
    out.close("};")
    out.add()
    out.add("const size_t codec_messages_count = sizeof(codec_messages) / sizeof(codec_messages[0]);")
    out.add()
    apis = sorted((schema for schema in schemas if schema.kind == "api"), key=lambda schema: schema.key)
    out.open("const struct api *const codec_apis[] = {")
    for schema in apis:
        out.add(f"&{schema.c_name}_api_codec,")
    out.close("};")
    out.add()
    out.add("const size_t codec_apis_count = sizeof(codec_apis) / sizeof(codec_apis[0]);")
    return str(out)


def emit_thunks(out, message):
    n = message.c_name
    out.open_function(f"static void codec_{n}_init(void *message)")
    out.add(f"{n}_init(message);")
    out.close_function()
    out.open_function(
        f"static bool codec_{n}_decode(struct reader *reader, int16_t version, struct arena *arena,"
        " void *message)"
    )
    out.add(f"return {n}_decode(reader, version, arena, message);")
    out.close_function()
    out.open_function(f"static size_t codec_{n}_size(int16_t version, const void *message)")
    out.add(f"return {n}_size(version, message);")
    out.close_function()
    out.open_function(
        f"static void codec_{n}_encode(struct writer *writer, int16_t version, const void *message)"
    )
    out.add(f"{n}_encode(writer, version, message);")
    out.close_function()
    out.open_function(
        f"static void codec_{n}_print(struct buffer *buffer, int16_t version, const void *message)"
    )
    out.add(f"{n}_print(buffer, version, message);")
    out.close_function()
