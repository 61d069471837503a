# SPDX-License-Identifier: GPL-2.0-only
"""Plots in SVG: groups of bars, and lines over a row of categories."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 60, 40, 60, 30
BAR, GAP = 14, 8
LETTER = 7  # width of one, about
COLOURS = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2"]


def label(x, y, words, anchor="middle"):
    """A text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{escape(str(words))}</text>')


def numbers(values):
    """(place, figure) of those that there are."""
    return [(i, value) for i, value in enumerate(values)
            if isinstance(value, (int, float))]


def top_of(series):
    """A round number that no figure exceeds."""
    most = max((value for values in series.values()
                for _, value in numbers(values)), default=1)
    step = 1e-6
    while most > step * 10:
        step *= 10
    return next(n * step for n in (1, 2, 3, 4, 5, 6, 8, 10)
                if n * step >= most)


def page(height, title, unit, names):
    """The beginning: background, title and legend."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
             f'{height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             label(10, 20, f"{title}: {unit}", "start")]
    x = 10
    for name, colour in zip(names, COLOURS):
        parts.append(f'<rect x="{x}" y="30" width="12" height="12" '
                     f'fill="{colour}"/>' + label(x + 16, 40, name, "start"))
        x += 40 + LETTER * len(name)
    return parts


def whole(parts):
    """The text of the file."""
    return "\n".join(parts) + "\n</svg>\n"


def bars(title, unit, groups, series):
    """A group of bars for each of `groups`, one below the other; series:
    {name: [a figure for each]}."""
    left = 20 + LETTER * max(map(len, groups))
    step = GAP + BAR * len(series)
    scale = (WIDTH - left - RIGHT) / top_of(series)
    parts = page(TOP + step * len(groups), title, unit, series)
    for i, name in enumerate(groups):
        parts.append(label(left - 6, TOP + step * i + BAR * len(series) / 2
                           + 4, name, "end"))
    for n, (values, colour) in enumerate(zip(series.values(), COLOURS)):
        for i, value in numbers(values):
            y, width = TOP + step * i + BAR * n, max(value, 0) * scale
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" '
                         f'height="{BAR - 1}" fill="{colour}"/>'
                         + label(left + width + 4, y + 11, f"{value:.4g}",
                                 "start"))
    return whole(parts)


def lines(title, unit, groups, series):
    """A line for each of the series over `groups`."""
    height, top = 380, top_of(series)
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    parts = page(height, title, unit, series)

    def y_of(value):
        return height - BOTTOM - value / top * (height - BOTTOM - TOP)

    for value in (top * i / 4 for i in range(5)):
        parts.append(f'<path d="M{LEFT} {y_of(value):.1f}H{WIDTH - RIGHT}" '
                     'stroke="#ddd"/>' + label(LEFT - 6, y_of(value) + 4,
                                               f"{value:,.4g}", "end"))
    for i, name in enumerate(groups):
        parts.append(label(LEFT + step * (i + 0.5), height - BOTTOM + 18,
                           name))
    for values, colour in zip(series.values(), COLOURS):
        points = [(LEFT + step * (i + 0.5), y_of(value))
                  for i, value in numbers(values)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" '
                     'stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" '
                  f'fill="{colour}"/>' for x, y in points]
    return whole(parts)
