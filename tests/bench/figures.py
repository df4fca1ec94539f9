# SPDX-License-Identifier: MIT
"""Measured in pairs: what is compared takes turns, so that a busy moment hits both."""

import statistics


def interleaved(rounds: int, **measures) -> dict[str, list[float]]:
    """Each measure once a round, in turn; the first round only warms up."""
    taken = {name: [] for name in measures}
    names = list(measures)
    for number in range(rounds + 1):
        for name in names:
            value = measures[name]()
            if number:
                taken[name].append(value)
        names.append(names.pop(0))
    return taken


def median(values: list[float]) -> float:
    return statistics.median(values)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Of the rounds' own ratios: what a pair shared cancels out."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


class Table:
    def __init__(self):
        self.lines = []

    def say(self, text: str = "") -> None:
        self.lines.append(text)
        print(text, flush=True)

    def row(self, what: str, ours: list[float], theirs: list[float] | None = None, beside: str = "",
            goal: float | None = None, unit: str = "ms") -> None:
        text = f"  {what:<46} {median(ours):>10.2f} {unit}"
        if theirs:
            text += f"   {beside:<28} {median(theirs):>10.2f} {unit}   ratio {ratio(ours, theirs):>5.2f}"
        if theirs and goal:
            met = ratio(ours, theirs) <= goal
            text += f"   goal ≤ {goal:.2f}: {'met' if met else 'NOT MET'}"
        self.say(text)

    def write(self, path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.lines) + "\n")
