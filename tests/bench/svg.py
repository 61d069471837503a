# SPDX-License-Identifier: GPL-2.0-only
"""Plots in SVG: grouped bars, and lines over a row of categories."""
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 900, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 60, 50
COLOURS = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2"]


def label(x, y, words, anchor="middle"):
    """A text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{escape(str(words))}</text>')


def top_of(series):
    """A round number above all figures."""
    most = max((v for values in series.values() for v in values if v),
               default=1)
    step = 1e-6
    while most > step * 10:
        step *= 10
    return next(n * step for n in (1, 2, 3, 4, 5, 6, 8, 10)
                if n * step >= most)


class Frame:
    """Axes, title and legend; the height of a figure."""

    def __init__(self, title, unit, groups, series):
        self.top = top_of(series)
        self.step = (WIDTH - LEFT - RIGHT) / max(len(groups), 1)
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
            f'{HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            label(LEFT, 20, f"{title}, {unit}", "start")]
        for i in range(5):
            value = self.top * i / 4
            self.parts.append(
                f'<path d="M{LEFT} {self.y(value):.1f}H{WIDTH - RIGHT}" '
                f'stroke="#ddd"/>' + label(LEFT - 6, self.y(value) + 4,
                                           f"{value:,.4g}", "end"))
        for i, name in enumerate(groups):
            self.parts.append(label(self.x(i), HEIGHT - BOTTOM + 18
                                    + 14 * (i % 2) * (len(groups) > 6), name))
        x = LEFT
        for name, colour in zip(series, COLOURS):
            self.parts.append(f'<rect x="{x}" y="30" width="12" height="12" '
                              f'fill="{colour}"/>'
                              + label(x + 16, 40, name, "start"))
            x += 40 + 7 * len(name)

    def x(self, group):
        """The middle of a group."""
        return LEFT + (group + 0.5) * self.step

    def y(self, value):
        """The height of a figure."""
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - BOTTOM - TOP)

    def text(self):
        """The whole file."""
        return "\n".join(self.parts) + "\n</svg>\n"


def bars(title, unit, groups, series):
    """A group of bars for each of `groups`; series: {name: [a figure for
    each]}."""
    frame = Frame(title, unit, groups, series)
    width = frame.step * 0.8 / len(series)
    for n, (values, colour) in enumerate(zip(series.values(), COLOURS)):
        for i, value in enumerate(values):
            if not isinstance(value, (int, float)):
                continue
            x = frame.x(i) - frame.step * 0.4 + n * width
            y = frame.y(max(value, 0))
            frame.parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{frame.y(0) - y:.1f}" fill="{colour}"/>'
                + label(x + width / 2, y - 3, f"{value:.4g}"))
    return frame.text()


def lines(title, unit, groups, series):
    """A line for each of the series over `groups`."""
    frame = Frame(title, unit, groups, series)
    for values, colour in zip(series.values(), COLOURS):
        points = [(frame.x(i), frame.y(value))
                  for i, value in enumerate(values)
                  if isinstance(value, (int, float))]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        frame.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" '
                           f'stroke-width="2"/>')
        frame.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" '
                        f'fill="{colour}"/>' for x, y in points]
    return frame.text()
