# SPDX-License-Identifier: BSD-2-Clause
"""Lines of C: indentation, wrapping at 100 columns, comments."""

import re
import textwrap

COLUMNS = 100
# What goes to the next line when it fits there: an assignment's right side,
ASSIGNMENT = re.compile(r"([^()]* \+?= )(.*;)$")
# a call's or prototype's arguments.
CALL = re.compile(r"((?!if |for |while |bool has_)[^()\"]*\w\()(.*\)[;]?)$")
HEAD = "// SPDX-License-Identifier: BSD-2-Clause"


class Text:
    def __init__(self):
        self.lines = []
        self.depth = 0

    def add(self, line=""):
        """One line, wrapped at spaces (never inside a string) when it is too long."""
        indent = "    " * self.depth
        if line == "" or len(indent + line) <= COLUMNS:
            self.lines.append((indent + line).rstrip())
            return
        for pattern in (ASSIGNMENT, CALL):
            parts = pattern.match(line)
            if parts and len(indent + "    " + parts[2]) <= COLUMNS:
                self.lines.append((indent + parts[1]).rstrip())
                self.lines.append(indent + "    " + parts[2])
                return
        head = indent
        for word in _words(line):
            if len(head.rstrip()) > 0 and len(head + word) > COLUMNS:
                self.lines.append(head.rstrip())
                head = indent + "    "
            head += word + " "
        self.lines.append(head.rstrip())

    def add_commented(self, line, comment):
        """A line with a trailing comment, which goes in front when there is no room."""
        comment = f"/* {comment} */"
        if len("    " * self.depth + line + " " + comment) > COLUMNS:
            self.add(comment)
            self.add(line)
        else:
            self.add(f"{line} {comment}")

    def open(self, line):
        self.add(line)
        self.depth += 1

    def close(self, line="}"):
        self.depth -= 1
        self.add(line)

    def comment(self, lines):
        """A comment of one or several lines, filled to the width; nothing for none. An empty line
        begins a new paragraph."""
        room = COLUMNS - 4 * self.depth
        if len(lines) == 1 and len(lines[0]) + 6 <= room:
            self.lines.append("    " * self.depth + f"/* {lines[0]} */")
        elif lines:
            indent = "    " * self.depth
            self.lines.append(indent + "/*")
            for paragraph in "\n".join(lines).split("\n\n"):
                if self.lines[-1] != indent + "/*":
                    self.lines.append(indent + " *")
                for line in textwrap.wrap(paragraph, room - 3):
                    self.lines.append(f"{indent} * {line}")
            self.lines.append(indent + " */")

    def __str__(self):
        return "\n".join(_aligned(self.lines)) + "\n"


def _words(line):
    """Splits where a line may break: at spaces after a comma or an operator, else at any space;
    never inside of string literals and comments."""
    words, word, quoted, comment = [], "", False, False
    anywhere = not re.search(r"[,&|+=] ", line)
    for i, c in enumerate(line):
        if c == '"' and not comment and (i == 0 or line[i - 1] != "\\"):
            quoted = not quoted
        if line[i : i + 2] == "/*" and not quoted:
            comment = True
        if c == " " and not quoted and not comment and (anywhere or word[-1:] in tuple(",&|+=")):
            words.append(word)
            word = ""
        else:
            word += c
    words.append(word)
    return words


TRAILING = re.compile(r"( *)(\S.*?[;,]) +(/\* .* \*/)$")


def _aligned(lines):
    """Trailing comments of neighbouring lines in one column, as long as the lines have room."""
    out, run = [], []
    for line in [*lines, ""]:
        match = TRAILING.match(line)
        row = (match[1] + match[2], match[3]) if match else None
        same = row and run and match[1] == run[0][0][: len(match[1])] and run[0][0][len(match[1])] != " "
        if run and not (same and _fits([*run, row])):
            width = max(len(code) for code, _ in run)
            out += [f"{code:<{width}} {comment}" for code, comment in run]
            run = []
        if row:
            run.append(row)
        else:
            out.append(line)
    return out[:-1]


def _fits(run):
    width = max(len(code) for code, _ in run)
    return all(width + 1 + len(comment) <= COLUMNS for _, comment in run)
