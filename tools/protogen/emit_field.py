# SPDX-License-Identifier: BSD-2-Clause
"""The lines of C that decode, measure, encode and print one field, and what they depend on."""

from emit_header import c_type, member_default, object_name
from schema import ARRAY_MIN, FIXED, SIZED, VERSION_MAX, Versions


class Context:
    """One struct of one message, and how its functions see the version."""

    def __init__(self, message, struct, tagged=False):
        self.message = message
        self.struct = struct
        self.name = object_name(struct)
        self.inside_tag = tagged
        since = message.flexible_since
        if tagged or struct.versions.low >= since:
            self.flexible = "true"
        elif struct.versions.high < since:
            self.flexible = "false"
        else:
            self.flexible = "flexible"
        self.flexible_test = "" if self.flexible == "true" else "flexible"
        self.reader = "&tag.value" if tagged else "reader"
        v = message.versions
        self.version_check = (
            f"version == {v.low}" if v.low == v.high else f"version >= {v.low} && version <= {v.high}"
        )

    def tagged(self):
        """The same struct, where a tagged field's value is read or written."""
        return Context(self.message, self.struct, tagged=True)

    def flexible_versions(self):
        return self.struct.versions & Versions(self.message.flexible_since, VERSION_MAX)

    # What a struct's functions need, so that they take no more.

    def needs_version(self, struct):
        since = self.message.flexible_since
        if struct.versions.low < since <= struct.versions.high:
            return True
        for f in struct.fields:
            if f.versions != struct.versions or not f.nullable.empty and f.nullable != f.versions:
                return True
            if f.struct is not None and self.needs_version(f.struct):
                return True
        return False

    def print_needs_version(self, struct):
        return any(
            f.versions != struct.versions or f.struct is not None and self.print_needs_version(f.struct)
            for f in struct.fields
        )

    def needs_arena(self, struct):
        for f in struct.fields:
            if f.array or f.struct is not None and (not f.nullable.empty or self.needs_arena(f.struct)):
                return True
        return False

    def parameters(self, *names):
        types = {
            "reader": "struct reader *reader",
            "writer": "struct writer *writer",
            "buffer": "struct buffer *buffer",
            "version": "int16_t version",
            "arena": "struct arena *arena",
        }
        return ", ".join(types[n] for n in self.wanted(names, self.struct))

    def wanted(self, names, struct):
        for n in names:
            if n == "version":
                printing = "buffer" in names
                needed = self.print_needs_version if printing else self.needs_version
                if not needed(struct):
                    continue
            if n == "arena" and not self.needs_arena(struct):
                continue
            yield n

    def arguments(self, struct, *names):
        """The arguments in front of the object when `struct`'s function is called."""
        return "".join(n + ", " for n in self.wanted(names, struct)).replace("reader", self.reader)

    def array_parameters(self, f):
        version = f.struct is not None and self.needs_version(f.struct)
        head = "int16_t version, " if version else ""
        return f"{head}const struct {self.struct.c_name} *{self.name}"

    def array_arguments(self, f):
        version = f.struct is not None and self.needs_version(f.struct)
        return f"{'version, ' if version else ''}{self.name}"

    # Whether the local variable `flexible` is used.

    def _tags(self):
        return self.flexible == "flexible"

    def decode_needs_flexible(self):
        return self._tags()

    size_needs_flexible = encode_needs_flexible = decode_needs_flexible

    def size_uses_object(self):
        return any(f.tag is not None or f.fixed_size is None for f in self.struct.fields)

    # Tagged fields.

    def is_tagged_struct(self):
        return any(
            f.struct is self.struct and f.tag is not None and not f.array and f.nullable.empty
            for struct in [*self.message.structs, self.message.top]
            for f in struct.fields
        )

    def is_default(self, f):
        at = f"{self.name}->{f.c_name}"
        if f.array:
            return f"{at}_count {'< 0' if f.default_null else '== 0'}"
        if f.struct is not None and not f.nullable.empty:
            return f"{at} == NULL"
        if f.struct is not None:
            return f"{f.struct.c_name}_is_default(&{at})"
        if f.type == "records":
            return f"records_is_null(&{at})"
        if f.type in SIZED:
            if f.default_null:
                return f"slice_is_null({at})"
            return f"slice_equal({at}, {member_default(f)})"
        if f.type == "uuid":
            return f"uuid_is_zero({at})"
        if f.type == "bool":
            return at if f.default == "true" else f"!{at}"
        return f"{at} == {member_default(f) or 0}"

    def present(self, f):
        """The opposite, in the words one would write."""
        test = self.is_default(f)
        if f.type == "bool" and not f.array:
            return test[1:] if test.startswith("!") else "!" + test
        for equal, unequal in ((" == ", " != "), (" < 0", " >= 0")):
            if equal in test:
                if f.array and equal == " == ":
                    unequal = " > "
                return test.replace(equal, unequal)
        return "!" + test

    def tag_test(self, f):
        from emit_code import condition

        test = condition(f.versions, self.flexible_versions())
        if f.struct is not None and not f.array and not f.nullable.empty:
            return test or "true"  # Kafka says null too: for its readers absence is an empty struct
        return f"{test} && {self.present(f)}" if test else self.present(f)

    def nullable(self, f):
        """The expression that tells whether null is allowed, where the field is there."""
        if f.nullable.empty:
            return "false"
        if f.nullable == f.versions:
            return "true"
        tests = []
        if f.nullable.low > f.versions.low:
            tests.append(f"version >= {f.nullable.low}")
        if f.nullable.high < f.versions.high:
            tests.append(f"version <= {f.nullable.high}")
        return " && ".join(tests)

    def element_min(self, f):
        """Bytes of the shortest element: a number, or a choice by `flexible`."""
        if f.struct is None:
            if f.type in FIXED:
                return str(FIXED[f.type][1])
            classic, compact = SIZED[f.type][1]
        else:
            since = self.message.flexible_since
            sizes = {False: [], True: []}
            for version in f.versions:
                sizes[version >= since].append(f.struct.wire_size_min(version, since))
            classic = min(sizes[False], default=0)
            compact = min(sizes[True], default=0)
        if self.flexible == "true" or classic == compact:
            return str(compact)
        if self.flexible == "false":
            return str(classic)
        if f.versions.low >= self.message.flexible_since:
            return str(compact)
        if f.versions.high < self.message.flexible_since:
            return str(classic)
        return f"flexible ? {compact} : {classic}"

    def flexible_for(self, f):
        """`flexible`, or the constant where the field's own range decides."""
        if self.flexible != "flexible":
            return self.flexible
        if f.versions.low >= self.message.flexible_since:
            return "true"
        if f.versions.high < self.message.flexible_since:
            return "false"
        return "flexible"


def decode_field(out, ctx, f):
    at = f"{ctx.name}->{f.c_name}"
    flexible, nullable, reader = ctx.flexible_for(f), ctx.nullable(f), ctx.reader
    if f.array:
        out.add(
            f"{at} = reader_array({reader}, {flexible}, {nullable}, {ctx.element_min(f)},"
            f" sizeof(*{at}), arena, &{at}_count);"
        )
        out.open(f"for (int32_t i = 0; i < {at}_count; i++)")
        if f.struct is not None:
            arguments = ctx.arguments(f.struct, "reader", "version", "arena")
            out.add(f"{f.struct.c_name}_decode({arguments}&{at}[i]);")
        elif f.type in SIZED:
            out.add(f"{at}[i] = reader_{f.type}({reader}, {flexible}, false);")
        else:
            out.add(f"{at}[i] = reader_{f.type}({reader});")
        out.depth -= 1
    elif f.struct is not None:
        arguments = ctx.arguments(f.struct, "reader", "version", "arena")
        if f.nullable.empty:
            out.add(f"{f.struct.c_name}_decode({arguments}&{at});")
        else:
            call = "reader_struct" if f.tag is None else "reader_tagged_struct"
            out.add(f"{at} = {call}({reader}, sizeof(*{at}), arena);")
            out.open(f"if ({at} != NULL)")
            out.add(f"{f.struct.c_name}_decode({arguments}{at});")
            out.depth -= 1
    elif f.type in SIZED:
        out.add(f"{at} = reader_{f.type}({reader}, {flexible}, {nullable});")
    else:
        out.add(f"{at} = reader_{f.type}({reader});")


def fixed_text(fields):
    names = ", ".join(f.name for f in fields)
    if len(names) > 60:
        names = f"{fields[0].name} to {fields[-1].name}"
    return f"size += {sum(f.fixed_size for f in fields)}; /* {names} */"


def size_field(out, ctx, f):
    at = f"{ctx.name}->{f.c_name}"
    flexible = ctx.flexible_for(f)
    if f.array:
        out.add(f"size += size_array({flexible}, {at}_count);")
        if f.struct is None and f.type in FIXED:
            out.lines.pop()
            out.add(f"size += size_array_fixed({flexible}, {at}_count, {FIXED[f.type][1]});")
            return
        out.open(f"for (int32_t i = 0; i < {at}_count; i++)")
        if f.struct is not None:
            out.add(f"size += {f.struct.c_name}_size({ctx.arguments(f.struct, 'version')}&{at}[i]);")
        else:
            out.add(f"size += size_{f.type}({flexible}, {at}[i]);")
        out.depth -= 1
    elif f.struct is not None:
        arguments = ctx.arguments(f.struct, "version")
        if f.nullable.empty:
            out.add(f"size += {f.struct.c_name}_size({arguments}&{at});")
        else:
            out.add("size += 1; /* whether there is one */")
            out.open(f"if ({at} != NULL)")
            out.add(f"size += {f.struct.c_name}_size({arguments}{at});")
            out.depth -= 1
    elif f.type == "records":
        out.add(f"size += size_records({flexible}, &{at});")
    else:
        out.add(f"size += size_{f.type}({flexible}, {at});")


def tag_size(ctx, f):
    """The expression for the size of a tagged field's value."""
    at = f"{ctx.name}->{f.c_name}"
    if f.array:
        return f"{ctx.struct.c_name}_{f.c_name}_size({ctx.array_arguments(f)})"
    if f.struct is not None and not f.nullable.empty:
        size = f"{f.struct.c_name}_size({ctx.arguments(f.struct, 'version')}{at})"
        return f"1 + ({at} == NULL ? 0 : {size})"
    if f.struct is not None:
        return f"{f.struct.c_name}_size({ctx.arguments(f.struct, 'version')}&{at})"
    if f.type == "records":
        return f"size_records(true, &{at})"
    if f.type in SIZED:
        return f"size_{f.type}(true, {at})"
    return str(FIXED[f.type][1])


def encode_field(out, ctx, f):
    at = f"{ctx.name}->{f.c_name}"
    flexible, nullable = ctx.flexible_for(f), ctx.nullable(f)
    if f.array:
        out.add(f"writer_array(writer, {flexible}, {nullable}, {at}_count);")
        out.open(f"for (int32_t i = 0; i < {at}_count; i++)")
        if f.struct is not None:
            arguments = ctx.arguments(f.struct, "writer", "version")
            out.add(f"{f.struct.c_name}_encode({arguments}&{at}[i]);")
        elif f.type in SIZED:
            out.add(f"writer_field_{f.type}(writer, {flexible}, false, {at}[i]);")
        else:
            out.add(f"writer_{f.type}(writer, {at}[i]);")
        out.depth -= 1
    elif f.struct is not None:
        arguments = ctx.arguments(f.struct, "writer", "version")
        if f.nullable.empty:
            out.add(f"{f.struct.c_name}_encode({arguments}&{at});")
        else:
            absent = -1 if f.tag is None else 0
            out.add(f"writer_int8(writer, {at} == NULL ? {absent} : 1);")
            out.open(f"if ({at} != NULL)")
            out.add(f"{f.struct.c_name}_encode({arguments}{at});")
            out.depth -= 1
    elif f.type == "records":
        out.add(f"writer_field_records(writer, {flexible}, {nullable}, &{at});")
    elif f.type in SIZED:
        out.add(f"writer_field_{f.type}(writer, {flexible}, {nullable}, {at});")
    else:
        out.add(f"writer_{f.type}(writer, {at});")


PRINT_INT = {"int8", "int16", "uint16", "int32", "uint32", "int64"}


def print_field(out, ctx, f):
    at = f"{ctx.name}->{f.c_name}"
    if f.secret:
        out.add(f'print_secret(buffer, "{f.name}");')
    elif f.array and f.struct is None:
        out.add(f'print_{f.type}_array(buffer, "{f.name}", {at}, {at}_count);')
    elif f.array:
        arguments = ctx.arguments(f.struct, "buffer", "version")
        out.add(f'print_array_begin(buffer, "{f.name}", {at}_count);')
        out.open(f"for (int32_t i = 0; print_wants(i, {at}_count); i++) {{")
        out.add("print_struct_begin(buffer, NULL);")
        out.add(f"{f.struct.c_name}_print({arguments}&{at}[i]);")
        out.add("print_struct_end(buffer);")
        out.close()
        out.add(f"print_array_end(buffer, {at}_count);")
    elif f.struct is not None:
        arguments = ctx.arguments(f.struct, "buffer", "version")
        pointer = f"&{at}" if f.nullable.empty else at
        if not f.nullable.empty:
            out.open(f"if ({at} != NULL) {{")
        out.add(f'print_struct_begin(buffer, "{f.name}");')
        out.add(f"{f.struct.c_name}_print({arguments}{pointer});")
        out.add("print_struct_end(buffer);")
        if not f.nullable.empty:
            out.close()
    elif f.type in PRINT_INT:
        out.add(f'print_int(buffer, "{f.name}", {at});')
    elif f.type == "records":
        out.add(f'print_records(buffer, "{f.name}", &{at});')
    else:
        out.add(f'print_{f.type}(buffer, "{f.name}", {at});')
