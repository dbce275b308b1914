# SPDX-License-Identifier: BSD-2-Clause
"""Writes wire/<name>.gen.h: the structs and what can be done with them."""

from schema import FIXED, SIZED, VERSION_MAX
from text import HEAD, Text


def c_type(f):
    """The C type of one element of the field, with the space that a declaration needs."""
    if f.struct is not None:
        return f"struct {f.struct.c_name} "
    return (FIXED.get(f.type) or SIZED[f.type])[0] + " "


def describe(f, struct):
    """The schema's words for a member: original spelling and what is special about it."""
    parts = [f.name]
    if f.versions != struct.versions:
        last = f.versions.high == struct.versions.high
        parts.append(f"versions {f.versions.low}+" if last else f"versions {f.versions}")
    if not f.nullable.empty:
        parts.append("nullable" if f.nullable == f.versions else f"nullable {f.nullable.low}+")
    if f.tag is not None:
        parts.append(f"tag {f.tag}")
    if f.secret:
        parts.append("secret")
    return ", ".join(parts)


def member_default(f):
    """The C expression of a member's schema default; None when it is zero."""
    if f.array:
        return None
    if f.default_null or f.type == "records":
        return None
    if f.type in ("string", "bytes"):
        return "SLICE_LIT(%s)" % (f.default or '""')
    if f.default is None or f.default == "false":
        return None
    if f.type == "bool":
        return f.default
    value = int(f.default, 0)
    if value == 0:
        return None
    names = {2**31 - 1: "INT32_MAX", -(2**31): "INT32_MIN", 2**63 - 1: "INT64_MAX"}
    return names.get(value, str(value))


def emit_struct(out, struct):
    out.comment(struct.comment)
    out.open(f"struct {struct.c_name} {{")
    for f in struct.fields:
        out.comment(f.comment)
        pointer = f.array or f.struct is not None and not f.nullable.empty
        out.add_commented(f"{c_type(f)}{'*' if pointer else ''}{f.c_name};", describe(f, struct))
        if f.array:
            out.add(f"int32_t {f.c_name}_count;")
    if not struct.fields:
        out.add("char nothing; /* the message is empty */")
    out.close("};")
    out.add()


def prototype_decode(message):
    return (
        f"bool {message.c_name}_decode(struct reader *reader, int16_t version, struct arena *arena,"
        f" struct {message.c_name} *message)"
    )


def prototype_encode(message):
    return (
        f"void {message.c_name}_encode(struct writer *writer, int16_t version,"
        f" const struct {message.c_name} *message)"
    )


def prototype_size(message):
    return f"size_t {message.c_name}_size(int16_t version, const struct {message.c_name} *message)"


def prototype_print(message):
    return (
        f"void {message.c_name}_print(struct buffer *buffer, int16_t version,"
        f" const struct {message.c_name} *message)"
    )


def emit_message(out, message):
    for struct in [*message.structs, message.top]:
        emit_struct(out, struct)
    for struct in [*message.structs, message.top]:
        out.add(f"void {struct.c_name}_init(struct {struct.c_name} *{object_name(struct)});")
    for prototype in (prototype_decode, prototype_encode, prototype_size, prototype_print):
        out.add(prototype(message) + ";")
    out.add()


def object_name(struct):
    """What functions call the struct that they work on."""
    from schema import snake

    return "message" if struct.top else snake(struct.name)


def untyped_prototypes(schema):
    """The functions behind void pointers that struct api has: (prototype, call) each."""
    rows = []
    for message in schema.messages:
        n = message.c_name
        rows.append((f"void {n}_init_any(void *message)", f"{n}_init(message);"))
        rows.append(
            (
                f"bool {n}_decode_any(struct reader *reader, int16_t version, struct arena *arena,"
                " void *message)",
                f"return {n}_decode(reader, version, arena, message);",
            )
        )
        rows.append(
            (
                f"void {n}_encode_any(struct writer *writer, int16_t version, const void *message)",
                f"{n}_encode(writer, version, message);",
            )
        )
        rows.append(
            (
                f"void {n}_print_any(struct buffer *buffer, int16_t version, const void *message)",
                f"{n}_print(buffer, version, message);",
            )
        )
    if schema.home is not None:
        from schema import snake

        rows.append(
            (
                f"struct slice {schema.c_name}_home_any(const void *request)",
                f"return ((const struct {schema.request.c_name} *)request)->{snake(schema.home)};",
            )
        )
    return rows


def flexible_text(schema):
    return "none flexible" if schema.flexible_since == VERSION_MAX else f"flexible from {schema.flexible_since} on"


def head_lines(schema):
    what = f"{schema.name}, key {schema.key}" if schema.kind == "api" else f"{schema.name} (stored record)"
    lines = [f"{what}: versions {schema.versions}, {flexible_text(schema)}."]
    if schema.comment:
        lines += ["", *schema.comment]
    return lines


def emit_header(schema):
    out = Text()
    out.add(HEAD)
    out.add("#pragma once")
    lines = head_lines(schema)
    lines += [
        "",
        f"Generated from proto/{'' if schema.kind == 'api' else 'records/'}{schema.c_name}.{schema.kind}.",
        "",
        "Plain data: slices point into the bytes that were read, arrays lie in the arena. An array's",
        "count is -1 when it is null. What a version lacks keeps its default.",
    ]
    out.comment(lines)
    out.add('#include "wire/api.h"' if schema.kind == "api" else '#include "wire/reader.h"')
    if schema.kind != "api":
        out.add('#include "wire/writer.h"')
    out.add()
    for message in schema.messages:
        emit_message(out, message)
    if schema.kind == "api":
        out.comment(["Codec only: no handler, no entry in a table of served APIs."])
        out.add(f"extern const struct api {schema.c_name}_api_codec;")
        out.add()
        out.comment([f"Defined in api/{schema.c_name}.c."])
        out.add(
            f"enum handle_result {schema.c_name}_handle(struct request *req,"
            f" const struct {schema.request.c_name} *request, struct {schema.response.c_name} *response);"
        )
        out.add()
        out.comment(["The same behind void pointers, for struct api."])
        for prototype, _ in untyped_prototypes(schema):
            out.add(prototype + ";")
    while out.lines and out.lines[-1] == "":
        out.lines.pop()
    return str(out)
