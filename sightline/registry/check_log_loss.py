"""The rule about log loss: blocks what is shown to give the true classes far less probability than the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.evaluate.paired import group_sums, sign_flip
from sightline.registry.rules import Compared

if TYPE_CHECKING:
    from sightline.registry.rules import Scored

MARGIN = 0.01
"""Nats that an answer may cost more than the champion's."""
SHOWN = 0.01
"""p from which on more than that counts as shown."""


def check_log_loss(candidate: Scored, champion: Scored) -> Compared:
    """Fails where a log loss more than 0.01 nats above the champion's is shown: one-sided sign-flip test by group."""
    more = candidate.log_losses - champion.log_losses
    mean, p = float(more.mean()), sign_flip(group_sums(more - MARGIN, candidate.groups))
    shown = p <= SHOWN
    word = "shown" if shown else "not shown"
    sentence = f"log loss {mean:+.3f} against the champion: more than {MARGIN:g} is {word} (p = {p:.2g})"
    figures = {"log_loss_difference": mean, "log_loss_margin": MARGIN, "log_loss_p": p}
    return Compared(verdict="failed" if shown else "passed", sentence=sentence, figures=figures)
