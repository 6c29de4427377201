"""Compares what a request costs with what it may cost."""
import json
from dataclasses import dataclass

# How much more than stored is still the same. Allocations are compared as printed, to a hundredth of one.
TOLERANCE = {"instructions": 0.02, "system calls": 0.02, "allocations": 0.0}
# How much one row may cost over another of the same run, in instructions and in system calls.
RELATIONS = {("resilience", "small"): 1.05}
DIGITS = {"instructions": 0, "system calls": 2, "allocations": 2}


@dataclass(frozen=True)
class Verdict:
    """One measured number beside its threshold."""

    row: str
    unit: str
    measured: float | None
    stored: float | None

    @property
    def passed(self):
        """Whether the number was measured, has a threshold and is not above it."""
        if self.measured is None or self.stored is None:
            return False
        return self.measured <= round(self.stored * (1 + TOLERANCE[self.unit]), DIGITS[self.unit])

    def line(self):
        """A row of the printed table."""
        numbers = ["-" if number is None else f"{number:,.{DIGITS[self.unit]}f}"
                   for number in (self.measured, self.stored)]
        change = f"{self.measured / self.stored - 1:+.1%}" if self.measured is not None and self.stored else ""
        if self.measured is None:
            word = "NOT MEASURED"
        elif self.stored is None:
            word = "NOT STORED: see --update"
        else:
            word = "ok" if self.passed else f"WORSE than +{TOLERANCE[self.unit]:.0%}"
        return f"{self.row:<28} {self.unit:<14} {numbers[0]:>10} {numbers[1]:>10} {change:>8}  {word}"


HEADING = f"{'row':<28} {'per request':<14} {'measured':>10} {'stored':>10} {'change':>8}"


def judge(measured, stored):
    """Verdicts about `measured` against `stored`: both {row: {unit: number}}. What is in one alone does not pass."""
    verdicts = []
    for row in dict.fromkeys([*measured, *stored]):
        units = {**measured.get(row, {}), **stored.get(row, {})}
        for unit in (unit for unit in TOLERANCE if unit in units):
            verdicts.append(Verdict(row, unit, measured.get(row, {}).get(unit), stored.get(row, {}).get(unit)))
    return verdicts


@dataclass(frozen=True)
class Relation:
    """One row beside another, as measured in the same run."""

    row: str
    other: str
    unit: str
    ratio: float
    limit: float

    @property
    def passed(self):
        """Whether the row costs no more than it may beside the other."""
        return self.ratio <= self.limit

    def line(self):
        """A sentence below the printed table."""
        word = "ok" if self.passed else f"MORE than {self.limit:.2f}"
        return f"{self.row} costs {self.ratio:.3f} x {self.other} in {self.unit}, at most {self.limit:.2f}: {word}"


def related(measured):
    """A relation for each pair of rows of which both were measured."""
    return [Relation(row, other, unit, measured[row][unit] / measured[other][unit], limit)
            for (row, other), limit in RELATIONS.items() for unit in ("instructions", "system calls")
            if measured.get(row, {}).get(unit) and measured.get(other, {}).get(unit)]


def rounded(unit, number):
    """The number as it is printed, stored and compared."""
    return round(number, DIGITS[unit])


def load(path):
    """The stored thresholds; none when the file does not exist."""
    return json.loads(path.read_text())["per_request"] if path.exists() else {}


def store(path, measured):
    """Makes `measured` the thresholds."""
    path.write_text(json.dumps({"per_request": measured}, indent=2) + "\n")


def self_test(stored):
    """Raises each stored number by more than its tolerance, and by less, and says what the comparison failed to see."""
    missed = [f"{row} at {limit * factor:.2f} x {other} should {'pass' if factor <= 1 else 'fail'}"
              for (row, other), limit in RELATIONS.items() for factor in (1.01, 0.99)
              for relation in related({row: {"instructions": 1000 * limit * factor}, other: {"instructions": 1000}})
              if relation.passed != (factor <= 1)]
    if not stored:
        return ["there is nothing stored"]
    for row, units in stored.items():
        for unit, number in units.items():
            smallest = 2 * 10 ** -DIGITS[unit]
            raised = rounded(unit, number * (1 + 1.5 * TOLERANCE[unit]) + smallest)
            for value, expected in ((raised, False), (number, True), (number * 0.5, True), (None, False)):
                changed = {**stored, row: {**units, unit: value}}
                if all(verdict.passed for verdict in judge(changed, stored)) != expected:
                    missed.append(f"{row}, {unit}: {value} against {number} should {'pass' if expected else 'fail'}")
        without = {name: numbers for name, numbers in stored.items() if name != row}
        if all(verdict.passed for verdict in judge(without, stored)):
            missed.append(f"{row}: not being measured should fail")
        if all(verdict.passed for verdict in judge(stored, without)):
            missed.append(f"{row}: not being stored should fail")
    return missed
