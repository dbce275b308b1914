# SPDX-License-Identifier: BSD-2-Clause
"""Lines of C: indentation, wrapping at 100 columns, comments."""

import re

COLUMNS = 100
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
        head = indent
        for word in _words(line):
            if len(head.rstrip()) > 0 and len(head + word) > COLUMNS:
                self.lines.append(head.rstrip())
                head = indent + "    "
            head += word + " "
        self.lines.append(head.rstrip())

    def open(self, line):
        self.add(line)
        self.depth += 1

    def close(self, line="}"):
        self.depth -= 1
        self.add(line)

    def comment(self, lines):
        """A comment of one or several lines; nothing for none."""
        if len(lines) == 1:
            self.add(f"/* {lines[0]} */")
        elif lines:
            self.add("/*")
            for line in lines:
                self.add(f" * {line}".rstrip())
            self.add(" */")

    def __str__(self):
        return "\n".join(self.lines) + "\n"


def _words(line):
    """Splits where a line may break: at spaces after a comma or an operator, else at any space;
    never inside of string literals and comments."""
    words, word, quoted, comment = [], "", False, False
    anywhere = not re.search(r"[,&|+?=] ", line)
    for i, c in enumerate(line):
        if c == '"' and not comment and (i == 0 or line[i - 1] != "\\"):
            quoted = not quoted
        if line[i : i + 2] == "/*" and not quoted:
            comment = True
        if c == " " and not quoted and not comment and (anywhere or word[-1:] in tuple(",&|+?=")):
            words.append(word)
            word = ""
        else:
            word += c
    words.append(word)
    return words
