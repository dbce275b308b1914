# SPDX-License-Identifier: BSD-2-Clause
"""
Reads a schema: text -> schema.Schema. The format, line by line:

    # SPDX-License-Identifier: BSD-2-Clause
    # Comments directly above the header, a block or a field go into the generated C.
    api Heartbeat 12                  or: record GroupMetadataKey
    versions 0-4
    advertise 0                       the least version that ApiVersions names, where it differs
    kafka 0-4                         what Apache Kafka 4.2 answers, for the documentation
    flexible 4                        first flexible version, or none
    home GroupId                      the request field whose home loop runs the handler
    purpose classic groups            for the documentation

    request                           then: response; a record has one block, fields
        Name: type [versions R] [nullable [R]] [tag N] [default V] [secret]
        Topics: []Topic               an array; of structs when the type starts upper-case
            Name: string              the struct's fields, indented by four
        More: []Topic                 no block: the struct of that name declared before

R is `3`, `0-2` or `3+`. A field without `versions` exists wherever the struct around it does; a
tagged field in every flexible version. This module knows the shape only; validate.py knows what
makes sense.
"""

import re

from schema import Field, Message, Schema, SchemaError, Struct, Versions, VERSION_MAX, snake

INDENT = 4
NAME = re.compile(r"[A-Z][A-Za-z0-9]*$")
RANGE = re.compile(r"(\d+)(?:(\+)|-(\d+))?$")
FIELD = re.compile(r"([A-Za-z0-9_]+):\s+(\[\])?([A-Za-z0-9]+)(.*)$")


def versions_from_text(text):
    """None when the text is no range."""
    match = RANGE.match(text)
    if not match:
        return None
    low = int(match[1])
    high = VERSION_MAX if match[2] else int(match[3]) if match[3] else low
    return Versions(low, high) if low <= high else None


class Parser:
    def __init__(self, path, text):
        self.path = path
        self.lines = text.splitlines()
        self.comment = []
        self.schema = None

    def fail(self, line, text):
        raise SchemaError(self.path, line, text)

    def parse(self):
        at = self.parse_header()
        while at < len(self.lines):
            at = self.parse_block(at)
        return self.schema

    def take_comment(self):
        comment, self.comment = self.comment, []
        return comment

    def skip(self, at):
        """Collects comments; the index of the next line with something on it."""
        while at < len(self.lines):
            text = self.lines[at].strip()
            if text.startswith("#"):
                if "SPDX-License-Identifier" not in text:
                    self.comment.append(text[1:].strip())
            elif text == "":
                self.comment = []
            else:
                return at
            at += 1
        return at

    def parse_range(self, line, text):
        versions = versions_from_text(text)
        if versions is None:
            self.fail(line, f"`{text}` is no version range (3, 0-2 or 3+)")
        return versions

    def parse_number(self, line, text, what):
        if not text.isdigit():
            self.fail(line, f"{what} must be a number, not `{text}`")
        return int(text)

    def parse_header(self):
        at = self.skip(0)
        words = self.lines[at].split() if at < len(self.lines) else []
        line = at + 1
        if words[:1] == ["api"] and len(words) == 3:
            self.schema = Schema(self.path, "api", words[1], line)
            self.schema.key = self.parse_number(line, words[2], "an API key")
        elif words[:1] == ["record"] and len(words) == 2:
            self.schema = Schema(self.path, "record", words[1], line)
        else:
            self.fail(line, "expected `api Name key` or `record Name`")
        if not NAME.match(self.schema.name):
            self.fail(line, f"`{self.schema.name}` is no name (UpperCamelCase)")
        self.schema.comment = self.take_comment()
        seen = set()
        at = self.skip(at + 1)
        while at < len(self.lines) and self.lines[at].split()[0] not in ("request", "response", "fields"):
            word, _, value = self.lines[at].strip().partition(" ")
            if word in seen:
                self.fail(at + 1, f"`{word}` is given twice")
            seen.add(word)
            self.parse_directive(at + 1, word, value.strip())
            at = self.skip(at + 1)
        for word in ("versions", "flexible"):
            if word not in seen:
                self.fail(line, f"`{word}` is missing")
        return at

    def parse_directive(self, line, word, value):
        schema = self.schema
        if value == "":
            self.fail(line, f"`{word}` needs a value")
        if word == "versions":
            schema.versions, schema.versions_line = self.parse_range(line, value), line
        elif word == "flexible":
            schema.flexible_since = (
                VERSION_MAX if value == "none" else self.parse_number(line, value, "`flexible`")
            )
        elif schema.kind == "api" and word == "advertise":
            schema.advertise = self.parse_number(line, value, "`advertise`")
        elif schema.kind == "api" and word == "kafka":
            schema.kafka = self.parse_range(line, value)
        elif schema.kind == "api" and word == "home":
            schema.home, schema.home_line = value, line
        elif schema.kind == "api" and word == "purpose":
            schema.purpose = value
        else:
            self.fail(line, f"unknown directive `{word}`")

    def parse_block(self, at):
        line, word = at + 1, self.lines[at].rstrip()
        kinds = ("request", "response") if self.schema.kind == "api" else ("fields",)
        expected = kinds[len(self.schema.messages)] if len(self.schema.messages) < len(kinds) else None
        if word != expected:
            self.fail(line, f"expected `{expected}`" if expected else "expected the end of the file")
        suffix = "" if word == "fields" else word.capitalize()
        top = Struct(self.schema.name + suffix, line, top=True, comment=self.take_comment())
        top.c_name = snake(top.name)
        self.message = Message(
            top.name, top.c_name, self.schema.versions, self.schema.flexible_since, top
        )
        self.schema.messages.append(self.message)
        self.declared = {}
        return self.parse_fields(self.skip(at + 1), top, 1)

    def parse_fields(self, at, struct, depth):
        """The fields of one struct; the index of the first line that is not theirs."""
        while at < len(self.lines):
            text = self.lines[at]
            indent = len(text) - len(text.lstrip(" "))
            if "\t" in text:
                self.fail(at + 1, "a tab; indent by four spaces")
            if indent < depth * INDENT:
                break
            if indent > depth * INDENT:
                self.fail(at + 1, f"indented by {indent}, expected {depth * INDENT}")
            f = self.parse_field(at + 1, text.strip())
            f.comment = self.take_comment()
            struct.fields.append(f)
            at = self.skip(at + 1)
            if f.type[0].isupper():
                at = self.parse_struct(at, f, depth)
        if not struct.fields and depth > 1:
            self.fail(struct.line, f"`{struct.name}` has no fields")
        return at

    def parse_struct(self, at, f, depth):
        """The block under a field of struct type, or a reference to one declared before."""
        nested = at < len(self.lines) and self.lines[at].startswith(" " * ((depth + 1) * INDENT))
        if not nested:
            if f.type not in self.declared:
                self.fail(f.line, f"struct `{f.type}` is not declared before and has no fields here")
            f.struct = self.declared[f.type]
            return at
        if f.type in self.declared:
            self.fail(f.line, f"struct `{f.type}` is declared twice")
        f.struct = Struct(f.type, f.line, c_name=f"{self.message.c_name}_{snake(f.type)}")
        at = self.parse_fields(at, f.struct, depth + 1)
        self.declared[f.type] = f.struct  # after its fields: a struct cannot contain itself
        self.message.structs.append(f.struct)
        return at

    def parse_field(self, line, text):
        match = FIELD.match(text)
        if not match:
            self.fail(line, "expected `Name: type`")
        f = Field(match[1], line, match[3], array=bool(match[2]))
        f.versions = None
        words = match[4].split()
        seen = set()
        while words:
            word = words.pop(0)
            if word in seen:
                self.fail(line, f"`{word}` is given twice")
            seen.add(word)
            if word == "secret":
                f.secret = True
            elif word == "nullable":
                has_range = bool(words) and RANGE.match(words[0])
                f.nullable = self.parse_range(line, words.pop(0)) if has_range else Versions(0, VERSION_MAX)
            elif word in ("versions", "tag", "default"):
                if not words:
                    self.fail(line, f"`{word}` needs a value")
                value = words.pop(0)
                if word == "versions":
                    f.versions = self.parse_range(line, value)
                elif word == "tag":
                    f.tag = self.parse_number(line, value, "a tag")
                else:
                    f.default = value
            else:
                self.fail(line, f"unknown attribute `{word}`")
        return f


def parse(path, text):
    return Parser(path, text).parse()
