# SPDX-License-Identifier: MIT
"""Figures: how they are taken (in turns, so that a busy moment hits all that are
compared), what is made of them, and the tables they are printed in."""

import math
import statistics


def in_turns(rounds: int, measures: dict, warm: int = 1) -> dict[str, list[float]]:
    """Each measure once a round, in turn; the first rounds only warm up."""
    taken = {name: [] for name in measures}
    names = list(measures)
    for number in range(rounds + warm):
        for name in names:
            value = measures[name]()
            if number >= warm:
                taken[name].append(value)
        names.append(names.pop(0))
    return taken


def median(values: list[float]) -> float:
    return statistics.median(values)


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that so many percent of them do not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Of the rounds' own ratios: what a pair shared cancels out."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def number(value) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


class Report:
    """Markdown, on stdout as it comes and in a file at the end."""

    def __init__(self):
        self.lines, self.goals = [], []

    def say(self, text: str = "") -> None:
        self.lines.append(text)
        print(text, flush=True)

    def head(self, text: str) -> None:
        self.say(f"\n## {text}\n")

    def table(self, columns: list[str], rows: list[list]) -> None:
        cells = [columns] + [[number(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
        for at, row in enumerate(cells):
            self.say("| " + " | ".join(f"{cell:<{w}}" if not i else f"{cell:>{w}}"
                                       for i, (cell, w) in enumerate(zip(row, widths))) + " |")
            if at == 0:
                self.say("|" + "|".join("-" * (w + 2) if not i else "-" * (w + 1) + ":"
                                        for i, w in enumerate(widths)) + "|")

    def goal(self, what: str, value: float, bound: float, unit: str = "×", least: bool = False) -> None:
        met = value >= bound if least else value <= bound
        self.goals.append([what, f"{number(value)} {unit}", f"{'≥' if least else '≤'} {number(bound)} {unit}",
                           "met" if met else "NOT MET"])

    def write(self, path) -> None:
        if self.goals:
            self.head("Goals")
            self.table(["what", "here", "goal", ""], self.goals)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.lines).strip() + "\n")
