"""Five kinds of formulas, each the law of a class of images: what a class has in common, and what each image draws.

Iterated function systems are fractals (Kataoka et al. 2020; their maps drawn by singular values as in Anderson and
Farrell 2021), contours the Visual Atoms of Takashima et al. 2023, programs are in the spirit of Baradad et al. 2022;
waves and scattered leaves stand for textures (Baradad et al. 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.data.embedded.attractors import systems
from sightline.data.embedded.exact import angle, cos, sin, spread, uniform
from sightline.data.embedded.field import COLUMN, ROW, Field, added, nothing, over, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.embedded.field import Formula


def drawn(rng: np.random.Generator, kind: int) -> Formula:
    """A formula of the kind with that number, drawn until its first images show something."""
    while True:
        formula = KINDS[kind % len(KINDS)](rng)
        value, cover = formula(np.random.default_rng(0), 4)
        lit = (cover > 0.5).mean((1, 2))
        high = ((value > 0.5) & (cover > 0.5)).mean((1, 2))
        if (lit > 0.12).all() and ((high > 0.04) & (high < 0.96)).sum() >= 3:
            return formula


def _contours(rng: np.random.Generator) -> Formula:
    """Closed curves, their radius a sum of waves around the centre, filled by rings that repeat them."""
    waves = int(rng.integers(1, 5))
    often = rng.integers(2, 13, waves).astype(np.float32)
    deep = uniform(rng, 0.06, 0.4, waves)
    phase = uniform(rng, 0, 1, waves)
    rings, sharp = float(rng.uniform(0.5, 5)), float(rng.uniform(4, 30))
    hollow = float(rng.uniform(0.1, 0.8)) if rng.random() < 0.4 else 0.0
    squash = float(rng.uniform(0.5, 1))
    most = int(rng.integers(1, 5))

    def draw(rng: np.random.Generator, count: int) -> Field:
        below = nothing(count)
        for number in range(most):
            x, y = view(rng, count, 0.5, 1.25, 0.25 if most == 1 else 0.6)
            scale = uniform(rng, 1.1, 1.9, count, 1, 1) * (1 if most == 1 else 1.5)
            x, y = x * scale, y * (scale / squash)
            around = angle(x, y)
            shape = 1 + added(
                np.stack(
                    [cos(around * f + p + spread(rng, 0.03, count, 1, 1)) for f, p in zip(often, phase, strict=True)]
                ),
                deep[:, None, None, None] * (1 + spread(rng, 0.15, waves, count, 1, 1)),
            )
            far = np.sqrt(x * x + y * y) / np.maximum(shape, 0.15)
            cover = np.clip((1 - far) * sharp, 0, 1)
            if hollow:
                cover = cover * np.clip((far - hollow) * sharp, 0, 1)
            value = 0.5 + 0.5 * cos(far * rings + uniform(rng, -0.08, 0.08, count, 1, 1))
            there = (rng.random((count, 1, 1)) < (1 if number == 0 else 0.7)).astype(np.float32)
            below = over(below, value, cover * there)
        return below

    return draw


def _waves(rng: np.random.Generator) -> Formula:
    """A texture: waves of a band of lengths and directions, bent, then ridges, blots or products of them."""
    count_of = int(rng.integers(3, 11))
    length, width = float(rng.uniform(1.0, 11)), float(rng.uniform(0.05, 0.7))
    way, fan = float(rng.random()), float(rng.choice([0.01, 0.05, 0.25]))
    regular = rng.random() < 0.5
    pace = length * (1 + width * uniform(rng, -1, 1, count_of))
    heading = way + fan * uniform(rng, -1, 1, count_of)
    bend, slow = float(rng.uniform(0, 0.16)), float(rng.uniform(0.5, 2.5))
    shape, gain = int(rng.integers(0, 4)), float(rng.uniform(1, 4))

    def draw(rng: np.random.Generator, count: int) -> Field:
        x, y = view(rng, count, 0.06, 1.3, 1)
        x = x + bend * cos(slow * y * 0.5 + uniform(rng, 0, 1, count, 1, 1))
        y = y + bend * cos(slow * x * 0.5 + uniform(rng, 0, 1, count, 1, 1))
        total, other = np.zeros_like(x), np.zeros_like(x)
        for number in range(count_of):
            own = pace[number] * (1 + spread(rng, 0.05, count, 1, 1))
            turned = heading[number] + spread(rng, 0.01, count, 1, 1)
            if not regular:
                own = length * (1 + width * uniform(rng, -1, 1, count, 1, 1))
                turned = way + fan * uniform(rng, -1, 1, count, 1, 1)
            wave = cos((x * cos(turned) + y * sin(turned)) * own * 0.5 + uniform(rng, 0, 1, count, 1, 1))
            if number % 2:
                other = other + wave
            else:
                total = total + wave
        scale = gain / count_of
        value = (
            (total + other) * (scale / 2),
            1 - np.abs(total + other) * scale * 1.5,
            np.sign(total + other) * np.minimum(np.abs(total + other) * scale * 4, 1),
            total * other * (scale / count_of * 3),
        )[shape]
        return Field(np.clip(0.5 + 0.5 * value, 0, 1), np.ones_like(x))

    return draw


class _Line(NamedTuple):
    """One line of a program: what it does, which of three values it reads, which it writes, and three numbers."""

    what: int
    one: int
    other: int
    into: int
    a: float
    b: float
    c: float


def _programs(rng: np.random.Generator) -> Formula:
    """A short random program on the coordinates: waves, products, folds and maxima of what is there already."""
    lines = []
    for _ in range(int(rng.integers(4, 9))):
        what, where, numbers = int(rng.integers(0, 5)), rng.integers(0, 3, 3).tolist(), rng.random(3).tolist()
        lines.append(_Line(what, *where, *numbers))
    lines.append(_Line(0, 0, 1, 2, 0.5, 0.5, 0.3))

    def draw(rng: np.random.Generator, count: int) -> Field:
        x, y = view(rng, count, 0.08, 1.25, 0.35)
        known = [x, y, np.sqrt(x * x + y * y)]
        for line in lines:
            one, other, (a, b, c) = known[line.one], known[line.other], line[-3:]
            jitter = 1 + spread(rng, 0.06, count, 1, 1)
            if line.what == 0:
                bent = (one * (0.2 + 1.6 * a) + other * (2 * b - 1)) * jitter
                found = cos(bent + c + spread(rng, 0.03, count, 1, 1))
            elif line.what == 1:
                found = one * other * (1 + a) * jitter
            elif line.what == 2:
                found = np.abs(one * jitter + b - 0.5) * 2 - 0.7
            elif line.what == 3:
                found = np.maximum(one, other * jitter) - 0.3
            else:
                found = cos(one * (1 + 2 * a) * jitter + c) * (0.4 + b) + other * 0.5
            known[line.into] = found
        return Field(np.clip(0.5 + 0.5 * known[2], 0, 1), np.ones_like(x))

    return draw


def _leaves(rng: np.random.Generator) -> Formula:
    """Leaves, grains or sticks of a class's size, form and direction, scattered one over the other."""
    many = int(rng.integers(4, 40))
    size = float(rng.uniform(0.05, 0.4)) * (1.5 if many < 12 else 1)
    varied = float(rng.uniform(1.1, 2.5))
    thin = float(rng.uniform(1, 7)) if rng.random() < 0.6 else 1.0
    norm, way, fan = int(rng.integers(0, 3)), float(rng.random()), float(rng.choice([0.02, 0.5]))
    sharp, tones = float(rng.uniform(2, 20)), rng.random(3)
    ring = float(rng.uniform(0.4, 0.8)) if rng.random() < 0.25 else 0.0

    def draw(rng: np.random.Generator, count: int) -> Field:
        below = nothing(count)
        zoom = uniform(rng, 0.8, 1.25, count, 1, 1)
        for _ in range(many):
            own = size * zoom * uniform(rng, 1 / varied, varied, count, 1, 1)
            turned = way + uniform(rng, -fan, fan, count, 1, 1)
            x, y = COLUMN - uniform(rng, -1.1, 1.1, count, 1, 1), ROW - uniform(rng, -1.1, 1.1, count, 1, 1)
            c, s = cos(turned) / own, sin(turned) / own
            x, y = np.abs(x * c + y * s), np.abs(y * c - x * s) * thin
            far = np.sqrt(x * x + y * y) if norm == 0 else np.maximum(x, y) if norm == 1 else x + y
            cover = np.clip((1 - far) * sharp, 0, 1)
            if ring:
                cover = cover * np.clip((far - ring) * sharp, 0, 1)
            tone = tones[rng.integers(0, 3, (count, 1, 1))].astype(np.float32) + spread(rng, 0.05, count, 1, 1)
            below = over(below, np.clip(tone, 0, 1), cover)
        return below

    return draw


KINDS: tuple[Callable[[np.random.Generator], Formula], ...] = (systems, _contours, _waves, _programs, _leaves)
