# SPDX-License-Identifier: BSD-2-Clause
"""Writes api_table.gen.c: the descriptors of the APIs that have a handler, indexed by key."""

from emit_code import Code, descriptor_rows
from text import HEAD


def emit_table(schemas):
    schemas = sorted(schemas, key=lambda schema: schema.key)
    out = Code()
    out.add(HEAD)
    out.comment(["The APIs that are served, indexed by key. Generated from the list in src/api/meson.build."])
    out.add('#include "api/api_table.h"')
    out.add()
    for schema in schemas:
        out.add(f'#include "wire/{schema.c_name}.gen.h"')
    out.add()
    for schema in schemas:
        emit_entry(out, schema)
    out.open("const struct api *const api_table[] = {")
    if not schemas:
        out.add("NULL, /* none yet */")
    for schema in schemas:
        out.add(f"[{schema.key}] = &{schema.c_name}_api,")
    out.close("};")
    out.add()
    out.add("const size_t api_table_count = sizeof(api_table) / sizeof(api_table[0]);")
    return str(out)


def emit_entry(out, schema):
    name = schema.c_name
    out.open_function(
        f"static enum handle_result {name}_handle_any(struct request *req, const void *request,"
        " void *response)"
    )
    out.add(f"return {name}_handle(req, request, response);")
    out.close_function()
    out.open(f"static const struct api {name}_api = {{")
    for row in descriptor_rows(schema):
        out.add(row)
    out.add(f".handle = {name}_handle_any,")
    out.close("};")
    out.add()
