# SPDX-License-Identifier: BSD-2-Clause
"""
Writes wire/<name>.gen.c: init, decode, size, encode and print for every struct, inner ones first,
all straight-line. The work on one field is in emit_field.py; here is what goes around it: conditions
on the version (neighbours with the same condition share one `if`), tagged fields, the functions.
"""

from emit_field import Context, decode_field, encode_field, fixed_text, print_field, size_field, tag_size
from emit_header import (
    head_lines,
    member_default,
    object_name,
    prototype_decode,
    prototype_encode,
    prototype_print,
    prototype_size,
    untyped_prototypes,
)
from schema import VERSION_MAX
from text import HEAD, Text


def condition(versions, around):
    """The test that tells whether a field is there; "" when it always is."""
    if versions.low == versions.high and not (around.low == around.high):
        if versions.low == around.low or versions.high == around.high:
            pass
        else:
            return f"version == {versions.low}"
    tests = []
    if versions.low > around.low:
        tests.append(f"version >= {versions.low}")
    if versions.high < around.high:
        tests.append(f"version <= {versions.high}")
    return " && ".join(tests)


def grouped(fields, around):
    """[(condition, [fields])]: neighbours with the same condition together."""
    groups = []
    for f in fields:
        test = condition(f.versions, around)
        if groups and groups[-1][0] == test:
            groups[-1][1].append(f)
        else:
            groups.append((test, [f]))
    return groups


def emit_conditional(out, test, lines_of):
    """`lines_of` adds lines to a Text; braces only around more than one line."""
    if test == "":
        lines_of(out)
        return
    inner = Text()
    lines_of(inner)
    braces = len(inner.lines) > 1
    out.open(f"if ({test}) {{" if braces else f"if ({test})")
    lines_of(out)
    if braces:
        out.close()
    else:
        out.depth -= 1


def emit_init(out, struct):
    name = object_name(struct)
    out.open_function(f"void {struct.c_name}_init(struct {struct.c_name} *{name})")
    defaults = [(f, member_default(f)) for f in struct.fields if f.struct is None or f.array]
    defaults = [(f, value) for f, value in defaults if value is not None]
    if not defaults:
        out.add(f"*{name} = (struct {struct.c_name}){{0}};")
    else:
        out.open(f"*{name} = (struct {struct.c_name}){{")
        for f, value in defaults:
            out.add(f".{f.c_name} = {value},")
        out.close("};")
    for f in struct.fields:
        if f.array and f.default_null:
            out.add(f"{name}->{f.c_name}_count = -1;")
        elif f.struct is not None and not f.array and f.nullable.empty:
            out.add(f"{f.struct.c_name}_init(&{name}->{f.c_name});")
    out.close_function()


def emit_flexible(out, ctx, needed):
    if ctx.flexible == "flexible" and needed:
        out.add(f"bool flexible = version >= {ctx.message.flexible_since};")


def emit_decode(out, ctx):
    struct = ctx.struct
    if struct.top:
        out.open_function(prototype_decode(ctx.message))
        out.add(f"assert({ctx.version_check});")
    else:
        out.open_function(
            f"static void {struct.c_name}_decode({ctx.parameters('reader', 'version', 'arena')},"
            f" struct {struct.c_name} *{ctx.name})"
        )
    emit_flexible(out, ctx, ctx.decode_needs_flexible())
    if struct.top and not ctx.needs_arena(struct):
        out.add("(void)arena;")
    out.blank_after_declarations()
    out.add(f"{struct.c_name}_init({ctx.name});")
    for test, fields in grouped(struct.plain_fields(), struct.versions):
        emit_conditional(out, test, lambda o, fs=fields: [decode_field(o, ctx, f) for f in fs])
    if ctx.flexible != "false":
        emit_conditional(out, ctx.flexible_test, lambda o: emit_decode_tags(o, ctx))
    if struct.top:
        out.add("reader_finish(reader);")
        out.add("return reader_ok(reader);")
    out.close_function()


def emit_decode_tags(out, ctx):
    tagged = ctx.struct.tagged_fields()
    if not tagged:
        out.add("reader_skip_tags(reader);")
        return
    out.add("struct reader_tag tag = READER_TAG_FIRST;")
    out.open("while (reader_tag_next(reader, &tag)) {")
    for i, f in enumerate(tagged):
        test = condition(f.versions, ctx.flexible_versions())
        test = f"tag.number == {f.tag}" + (f" && {test}" if test else "")
        out.open(f"{'} else ' if i else ''}if ({test}) {{")
        decode_field(out, ctx.tagged(), f)
        out.depth -= 1
    out.add("}")
    out.close()


def emit_size(out, ctx):
    struct = ctx.struct
    for f in struct.tagged_fields():
        if f.array:
            emit_tag_array_size(out, ctx, f)
    if struct.top:
        out.open_function(prototype_size(ctx.message))
        out.add(f"assert({ctx.version_check});")
    else:
        out.open_function(
            f"static size_t {struct.c_name}_size({ctx.parameters('version')},"
            f" const struct {struct.c_name} *{ctx.name})".replace("(, ", "(")
        )
    emit_flexible(out, ctx, ctx.size_needs_flexible())
    if not ctx.size_uses_object():
        out.add(f"(void){ctx.name};")
    out.add("size_t size = 0;")
    out.blank_after_declarations()
    for test, fields in grouped(struct.plain_fields(), struct.versions):
        emit_conditional(out, test, lambda o, fs=fields: emit_size_fields(o, ctx, fs))
    if ctx.flexible != "false":
        emit_conditional(out, ctx.flexible_test, lambda o: emit_size_tags(o, ctx))
    out.add("return size;")
    out.close_function()


def emit_size_fields(out, ctx, fields):
    """Fixed sizes of neighbours are summed up."""
    fixed = []
    for f in [*fields, None]:
        if f is not None and f.fixed_size is not None:
            fixed.append(f)
            continue
        if fixed:
            out.add(fixed_text(fixed))
            fixed = []
        if f is not None:
            size_field(out, ctx, f)


def emit_size_tags(out, ctx):
    tagged = ctx.struct.tagged_fields()
    if not tagged:
        out.add("size += 1; /* no tagged fields */")
        return
    out.add("size += 1; /* the count of tagged fields */")
    for f in tagged:
        test = ctx.tag_test(f)
        out.open(f"if ({test})")
        out.add(f"size += size_tag({f.tag}, {tag_size(ctx, f)});")
        out.depth -= 1


def emit_tag_array_size(out, ctx, f):
    tagged = ctx.tagged()
    out.open_function(
        f"static size_t {ctx.struct.c_name}_{f.c_name}_size({ctx.array_parameters(f)})"
    )
    out.add("size_t size = 0;")
    out.blank_after_declarations()
    size_field(out, tagged, f)
    out.add("return size;")
    out.close_function()


def emit_encode(out, ctx):
    struct = ctx.struct
    if struct.top:
        out.open_function(prototype_encode(ctx.message))
        out.add(f"assert({ctx.version_check});")
    else:
        out.open_function(
            f"static void {struct.c_name}_encode({ctx.parameters('writer', 'version')},"
            f" const struct {struct.c_name} *{ctx.name})"
        )
    emit_flexible(out, ctx, ctx.encode_needs_flexible())
    if not struct.fields:
        out.add(f"(void){ctx.name};")
        if ctx.flexible == "false":
            out.add("(void)writer;")
    out.blank_after_declarations()
    for test, fields in grouped(struct.plain_fields(), struct.versions):
        emit_conditional(out, test, lambda o, fs=fields: [encode_field(o, ctx, f) for f in fs])
    if ctx.flexible != "false":
        emit_conditional(out, ctx.flexible_test, lambda o: emit_encode_tags(o, ctx))
    out.close_function()


def emit_encode_tags(out, ctx):
    tagged = ctx.struct.tagged_fields()
    if not tagged:
        out.add("writer_uvarint(writer, 0); /* no tagged fields */")
        return
    for f in tagged:
        out.add(f"bool has_{f.c_name} = {ctx.tag_test(f)};")
    out.add("writer_uvarint(writer, " + " + ".join(f"(uint32_t)has_{f.c_name}" for f in tagged) + ");")
    for f in tagged:
        out.open(f"if (has_{f.c_name}) {{")
        out.add(f"writer_tag(writer, {f.tag}, {tag_size(ctx, f)});")
        encode_field(out, ctx.tagged(), f)
        out.close()


def emit_print(out, ctx):
    struct = ctx.struct
    if struct.top:
        out.open_function(prototype_print(ctx.message))
        out.add(f"assert({ctx.version_check});")
    else:
        out.open_function(
            f"static void {struct.c_name}_print({ctx.parameters('buffer', 'version')},"
            f" const struct {struct.c_name} *{ctx.name})"
        )
    if not struct.fields:
        out.add("(void)buffer;")
    if all(f.secret for f in struct.fields):
        out.add(f"(void){ctx.name};")
    out.blank_after_declarations()
    for test, fields in grouped(struct.plain_fields(), struct.versions):
        emit_conditional(out, test, lambda o, fs=fields: [print_field(o, ctx, f) for f in fs])
    for f in struct.tagged_fields():
        test = condition(f.versions, struct.versions)
        test = f"{test} && {ctx.present(f)}" if test else ctx.present(f)
        emit_conditional(out, test, lambda o, f=f: print_field(o, ctx, f))
    out.close_function()


def emit_is_default(out, ctx):
    """For structs that are tagged fields: whether there is nothing to write."""
    struct = ctx.struct
    out.open_function(
        f"static bool {struct.c_name}_is_default(const struct {struct.c_name} *{ctx.name})"
    )
    out.add("return " + " && ".join(ctx.is_default(f) for f in struct.fields) + ";")
    out.close_function()


def emit_descriptor(out, schema):
    for prototype, call in untyped_prototypes(schema):
        out.open_function(prototype)
        out.add(call)
        out.close_function()
    out.open(f"const struct api {schema.c_name}_api_codec = {{")
    for row in descriptor_rows(schema):
        out.add(row)
    out.close("};")


def descriptor_rows(schema):
    flexible = "INT16_MAX" if schema.flexible_since == VERSION_MAX else schema.flexible_since
    advertised = schema.versions.low if schema.advertise is None else schema.advertise
    request, response = schema.request.c_name, schema.response.c_name
    rows = [
        f'.name = "{schema.name}",',
        f".key = {schema.key},",
        f".version_min = {schema.versions.low},",
        f".version_max = {schema.versions.high},",
        f".advertised_min = {advertised},",
        f".flexible_since = {flexible},",
        f".request_size = sizeof(struct {request}),",
        f".response_size = sizeof(struct {response}),",
        f".decode_request = {request}_decode_any,",
        f".encode_response = {response}_encode_any,",
        f".encode_request = {request}_encode_any,",
        f".decode_response = {response}_decode_any,",
        f".init_request = {request}_init_any,",
        f".init_response = {response}_init_any,",
        f".print_request = {request}_print_any,",
        f".print_response = {response}_print_any,",
    ]
    if schema.home is not None:
        rows.append(f".home = {schema.c_name}_home_any,")
    return rows


class Code(Text):
    def open_function(self, prototype):
        self.add(prototype)
        self.add("{")
        self.depth += 1
        self.body = len(self.lines)

    def blank_after_declarations(self):
        if len(self.lines) > self.body:
            self.add()

    def close_function(self):
        while self.lines[-1] == "":
            self.lines.pop()
        self.close()
        self.add()


def emit_code(schema):
    out = Code()
    out.add(HEAD)
    source = f"proto/{'' if schema.kind == 'api' else 'records/'}{schema.c_name}.{schema.kind}"
    out.comment([f"{head_lines(schema)[0]} Generated from {source}."])
    out.add(f'#include "wire/{schema.c_name}.gen.h"')
    out.add()
    out.add('#include "wire/print.h"')
    out.add('#include "wire/size.h"')
    out.add()
    out.add("#include <assert.h>")
    out.add()
    for message in schema.messages:
        for struct in [*message.structs, message.top]:
            ctx = Context(message, struct)
            emit_init(out, struct)
            if ctx.is_tagged_struct():
                emit_is_default(out, ctx)
            emit_decode(out, ctx)
            emit_size(out, ctx)
            emit_encode(out, ctx)
            emit_print(out, ctx)
    if schema.kind == "api":
        emit_descriptor(out, schema)
    while out.lines[-1] == "":
        out.lines.pop()
    return str(out)
