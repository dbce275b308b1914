# SPDX-License-Identifier: BSD-2-Clause
"""Writes measured tables into pages of docs/, between two marks."""

BEGIN = "<!-- measured: written by {} -->\n"
END = "<!-- end of measured -->\n"


def table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def text(rows, about, commands, factor):
    """What was run, on what, and one line per case."""
    lines = []
    for row in rows:
        name, unit, *cells = row.cells()
        lines.append([f"`{name}`: {row.title}", unit, *cells, row.verdict(factor)])
    head = ["case", "unit", "odradek (min-max)", "floor", "ratio to floor (min-max)", "Apache Kafka (times better)", "limit", ""]
    return (
        "\n"
        + "\n".join(f"    {command}" for command in commands)
        + "\n\n"
        + ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in about.items())
        + ".\n\n"
        + table(head, lines)
        + "\n\n![ratios to the floor](performance.svg)\n\n![times better than Apache Kafka](performance-kafka.svg)\n\n"
    )


def write(path, section, writer="script/bench --page"):
    begin = BEGIN.format(writer)
    with open(path, encoding="utf-8") as page:
        before, rest = page.read().split(begin)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as page:
        page.write(before + begin + section + END + after)
