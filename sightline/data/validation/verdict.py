"""What the validation said of a data set: the outcome of each expectation, and whether it may be trained on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ExpectationResult:
    """The outcome of one expectation."""

    id: str
    critical: bool
    """A failed critical finding stops everything before training; another one is told."""
    passed: bool
    sentence: str
    """What is demanded where it passed; else what is wrong, and what to do."""
    examples: tuple[str, ...] = ()
    """Up to 5 paths of images at fault, relative to the raw folder."""


@dataclass(frozen=True)
class Verdict:
    """Whether a data set may be trained on. Holds no time and no absolute path: equal data, equal bytes."""

    dataset: str
    passed: bool
    """No critical finding failed, and what was declared was executed."""
    declared: int
    """Expectations in the suite."""
    executed: int
    """Expectations that Great Expectations answered, whatever the answer."""
    findings: tuple[ExpectationResult, ...]
    page: str
    """The page of Data Docs, relative to their folder."""

    def to_json(self) -> str:
        """Text for a file: the same verdict gives the same text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Read the verdict that `to_json` wrote."""
        values = json.loads(text)
        findings = tuple(
            ExpectationResult(**found | {"examples": tuple(found["examples"])}) for found in values.pop("findings")
        )
        return cls(**values, findings=findings)


def told(verdict: Verdict) -> list[str]:
    """What is odd about the data set and stops nothing: the first sentence of the other findings that failed."""
    odd = [found.sentence for found in verdict.findings if not found.critical and not found.passed]
    return [f"{sentence.partition('. ')[0].rstrip('.')}." for sentence in odd]


def tally(verdict: Verdict) -> str:
    """How many expectations hold, and how many do not."""
    broken = sum(not found.passed for found in verdict.findings)
    held = f"{verdict.executed - broken} of {verdict.executed} expectations hold"
    return held if broken else f"{verdict.executed} expectations hold"


def sentences(verdict: Verdict) -> list[str]:
    """Why the data set is not fit: the failed critical findings, with the first images to look at."""
    return [
        f"{found.sentence} Look at: {', '.join(found.examples[:3])}" if found.examples else found.sentence
        for found in verdict.findings
        if found.critical and not found.passed
    ]
