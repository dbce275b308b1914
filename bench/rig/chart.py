# SPDX-License-Identifier: BSD-2-Clause
"""A bar chart as SVG: the broker's ratio to the floor per case, and Apache Kafka's where it was measured."""

import math
from html import escape

BAR, GAP, LEFT, WIDTH, TOP = 14, 10, 190, 720, 34
COLOURS = {"odradek": "#2f6f4f", "kafka": "#b0b0b0"}
TIMES_MAX = 100.0
RATIO_MAX = 8.0  # longer bars are cut, with their number beside them


def bars(row, middle):
    """(name, ratio) of what the row compares with the floor; smaller is better."""
    floor = middle(row.values["floor"])
    for subject in COLOURS:
        if row.values.get(subject):
            value = middle(row.values[subject])
            yield subject, value / floor if row.most else floor / value


def chart(rows, middle):
    lines, y = [], TOP
    scale = (WIDTH - LEFT - 60) / RATIO_MAX
    for row in rows:
        lines.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(row.name)}</text>')
        for subject, ratio in bars(row, middle):
            width = min(ratio, RATIO_MAX) * scale
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[subject]}"/>')
            lines.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + 11}">{ratio:.2f}</text>')
            y += BAR
        y += GAP
    floor_x = LEFT + scale
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>'
        f'<text x="{LEFT}" y="18">cost in multiples of the floor (1 = the least this machine allows): '
        f'<tspan fill="{COLOURS["odradek"]}">odradek</tspan>, <tspan fill="#808080">Apache Kafka</tspan></text>'
    )
    mark = f'<line x1="{floor_x:.1f}" y1="{TOP - 6}" x2="{floor_x:.1f}" y2="{y}" stroke="black" stroke-dasharray="3 3"/>'
    return "\n".join([head, *lines, mark, "</svg>"]) + "\n"


def times(rows):
    """How many times better than Apache Kafka, on a logarithmic scale."""
    lines, y = [], TOP
    scale = (WIDTH - LEFT - 60) / math.log10(TIMES_MAX)
    for row in rows:
        factor = row.times_better()
        width = max(1.0, min(math.log10(max(factor, 1.0)), math.log10(TIMES_MAX)) * scale)
        lines.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end">{escape(row.name)}</text>')
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS["odradek"]}"/>')
        lines.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + 11}">{factor:.1f}</text>')
        y += BAR + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
        f'<rect width="{WIDTH}" height="{y}" fill="white"/>'
        f'<text x="{LEFT}" y="18">times better than Apache Kafka (logarithmic)</text>'
    )
    return "\n".join([head, *lines, "</svg>"]) + "\n"
