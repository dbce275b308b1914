# SPDX-License-Identifier: BSD-2-Clause
"""
Checks what a parsed schema says and narrows its ranges to those in which a field really occurs, so
that the emitters need not think. Raises SchemaError at the first thing that makes no sense.
"""

from schema import FIXED, INTEGERS, NEVER, SIZED, VERSION_MAX, SchemaError, Versions

RESERVED = set(
    "auto break case char const continue default do double else enum extern float for goto if inline"
    " int long register restrict return short signed sizeof static struct switch typedef union"
    " unsigned void volatile while bool true false".split()
)


def validate(schema):
    def fail(line, text):
        raise SchemaError(schema.path, line, text)

    if schema.versions.high == VERSION_MAX:
        fail(schema.versions_line, "`versions` needs an end")
    if not 0 <= schema.key <= VERSION_MAX and schema.kind == "api":
        fail(schema.line, f"API key {schema.key} is out of range")
    if schema.advertise is not None and schema.advertise > schema.versions.low:
        fail(schema.line, "`advertise` is above the least version")
    blocks = ("request", "response") if schema.kind == "api" else ("fields",)
    if len(schema.messages) < len(blocks):
        fail(schema.line, f"`{blocks[len(schema.messages)]}` is missing")
    for message in schema.messages:
        message.top.versions = message.versions
        _narrow(message)
        for struct in [*message.structs, message.top]:
            _check_struct(fail, message, struct)
    if schema.home is not None:
        _check_home(fail, schema)


def _narrow(message):
    """Outer structs first: a struct occurs where the fields that use it do."""
    flexible = Versions(message.flexible_since, VERSION_MAX)
    for struct in [message.top, *reversed(message.structs)]:
        for f in struct.fields:
            written = f.versions if f.versions is not None else Versions(0, VERSION_MAX)
            if f.tag is not None and f.versions is None:
                written = written & flexible
            f.written_versions = written
            f.versions = written & struct.versions
            f.nullable = f.nullable & f.versions
            if f.struct is not None:
                f.struct.versions = f.struct.versions.hull(f.versions)


def _check_struct(fail, message, struct):
    names, tags = set(), set()
    for f in struct.fields:
        if f.c_name in names:
            fail(f.line, f"field `{f.name}` is declared twice")
        names.add(f.c_name)
        if f.c_name in RESERVED:
            fail(f.line, f"`{f.name}` becomes a reserved word of C")
        if f.type not in FIXED and f.type not in SIZED and f.struct is None:
            fail(f.line, f"unknown type `{f.type}`")
        if f.array and f.type in ("records", "bytes", "bool", "float64", "uint16", "uint32"):
            fail(f.line, f"arrays of {f.type} are not supported")
        if f.versions.empty:
            fail(f.line, f"`{f.name}` exists in no version of the struct around it")
        _check_nullable(fail, f)
        _check_tag(fail, message, f, tags)
        _check_default(fail, f)
        if f.secret and (f.array or f.struct is not None):
            fail(f.line, "only single values can be secret")
    for version in struct.versions:
        if not struct.top and struct.wire_size_min(version, message.flexible_since) == 0:
            fail(struct.line, f"`{struct.name}` has no bytes in version {version}")


def _check_nullable(fail, f):
    if f.nullable.empty:
        return
    if not f.array and f.type in FIXED:
        fail(f.line, f"{f.type} cannot be null")
    if f.struct is not None and not f.array and not f.nullable.covers(f.versions):
        fail(f.line, "a struct is nullable in all of its versions or in none")


def _check_tag(fail, message, f, tags):
    if f.tag is None:
        return
    if f.tag in tags:
        fail(f.line, f"tag {f.tag} is used twice")
    tags.add(f.tag)
    if f.versions.low < message.flexible_since:
        fail(f.line, "a tagged field needs a flexible version")


def _check_default(fail, f):
    if f.default is None:
        return
    if f.default == "null":
        if f.nullable.empty:
            fail(f.line, f"`{f.name}` cannot be null, so null cannot be its default")
    elif f.array or f.type not in INTEGERS and f.type not in ("bool", "string"):
        fail(f.line, f"a default for {'an array' if f.array else f.type} is not supported")
    elif f.type in INTEGERS:
        low, high = INTEGERS[f.type]
        try:
            value = int(f.default, 0)
        except ValueError:
            fail(f.line, f"`{f.default}` is no {f.type}")
        if not low <= value <= high:
            fail(f.line, f"{value} does not fit into {f.type}")
    elif f.type == "bool" and f.default not in ("true", "false"):
        fail(f.line, f"`{f.default}` is no bool")
    elif f.type == "string" and not (len(f.default) >= 2 and f.default[0] == f.default[-1] == '"'):
        fail(f.line, "a string's default stands in double quotes")


def _check_home(fail, schema):
    for f in schema.request.top.fields:
        if f.name == schema.home:
            if f.type != "string" or f.array:
                fail(schema.home_line, f"`{schema.home}` is no string")
            return
    fail(schema.home_line, f"the request has no field `{schema.home}`")
