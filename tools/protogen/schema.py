# SPDX-License-Identifier: BSD-2-Clause
"""The model of a schema: what parse.py builds, validate.py checks and the emitters read."""

import re
from dataclasses import dataclass, field
from typing import Optional

VERSION_MAX = 32767

# Types with a fixed size: C type, bytes on the wire.
FIXED = {
    "bool": ("bool", 1),
    "int8": ("int8_t", 1),
    "int16": ("int16_t", 2),
    "uint16": ("uint16_t", 2),
    "int32": ("int32_t", 4),
    "uint32": ("uint32_t", 4),
    "int64": ("int64_t", 8),
    "float64": ("double", 8),
    "uuid": ("struct uuid", 16),
}
# Types with a length in front: C type, bytes of the shortest value (classic, flexible).
SIZED = {
    "string": ("struct slice", (2, 1)),
    "bytes": ("struct slice", (4, 1)),
    "records": ("struct records", (4, 1)),
}
ARRAY_MIN = (4, 1)
INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}


class SchemaError(Exception):
    """What is wrong with a schema, and where."""

    def __init__(self, path, line, text):
        super().__init__(f"{path}:{line}: error: {text}")


def snake(name):
    """`TopicId` -> `topic_id`, `ISRNodes` -> `isr_nodes`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass(frozen=True)
class Versions:
    """An inclusive range; empty when low > high."""

    low: int
    high: int

    def __and__(self, other):
        return Versions(max(self.low, other.low), min(self.high, other.high))

    def hull(self, other):
        if self.empty:
            return other
        if other.empty:
            return self
        return Versions(min(self.low, other.low), max(self.high, other.high))

    @property
    def empty(self):
        return self.low > self.high

    def covers(self, other):
        return other.empty or (self.low <= other.low and other.high <= self.high)

    def __contains__(self, version):
        return self.low <= version <= self.high

    def __iter__(self):
        return iter(range(self.low, self.high + 1))

    def __str__(self):
        if self.high == VERSION_MAX:
            return f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


NEVER = Versions(1, 0)


@dataclass
class Field:
    name: str  # Kafka's spelling
    line: int
    type: str  # element type, for arrays
    array: bool = False
    versions: Versions = Versions(0, VERSION_MAX)  # as written; narrowed to the effective range
    nullable: Versions = NEVER
    tag: Optional[int] = None
    default: Optional[str] = None  # as written
    secret: bool = False
    comment: list = field(default_factory=list)
    struct: Optional["Struct"] = None

    @property
    def c_name(self):
        return snake(self.name)

    @property
    def default_null(self):
        return self.default == "null"

    @property
    def fixed_size(self):
        """Bytes on the wire when always the same, else None."""
        return FIXED[self.type][1] if not self.array and self.type in FIXED else None


@dataclass
class Struct:
    name: str  # as in the schema; the message's own name for the top
    line: int
    c_name: str = ""
    fields: list = field(default_factory=list)
    versions: Versions = NEVER  # all versions in which it occurs
    top: bool = False
    comment: list = field(default_factory=list)

    def plain_fields(self):
        return [f for f in self.fields if f.tag is None]

    def tagged_fields(self):
        return sorted((f for f in self.fields if f.tag is not None), key=lambda f: f.tag)

    def wire_size_min(self, version, flexible_since):
        """Bytes of the shortest encoding in this version."""
        flexible = version >= flexible_since
        size = 1 if flexible else 0  # the count of tagged fields
        for f in self.plain_fields():
            if version not in f.versions:
                continue
            if f.array:
                size += ARRAY_MIN[flexible]
            elif f.type in FIXED:
                size += FIXED[f.type][1]
            elif f.type in SIZED:
                size += SIZED[f.type][1][flexible]
            elif version in f.nullable:
                size += 1
            else:
                size += f.struct.wire_size_min(version, flexible_since)
        return size


@dataclass
class Message:
    """One of request, response, record: a top struct and the structs in it, inner ones first."""

    name: str
    c_name: str
    versions: Versions
    flexible_since: int  # VERSION_MAX: never
    top: Struct
    structs: list = field(default_factory=list)  # without the top, each after what it contains


@dataclass
class Schema:
    path: str
    kind: str  # "api" or "record"
    name: str  # "ConsumerGroupHeartbeat"
    line: int
    key: int = -1
    versions: Versions = NEVER
    versions_line: int = 0
    advertise: Optional[int] = None
    kafka: Optional[Versions] = None
    flexible_since: int = VERSION_MAX
    home: Optional[str] = None
    home_line: int = 0
    purpose: str = ""
    comment: list = field(default_factory=list)
    messages: list = field(default_factory=list)

    @property
    def c_name(self):
        return snake(self.name)

    @property
    def request(self):
        return self.messages[0]

    @property
    def response(self):
        return self.messages[1]
