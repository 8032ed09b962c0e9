"""What people see in the terminal of what a command found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import markup
from rich.filesize import decimal
from rich.table import Table
from rich.tree import Tree

from flows.cli.console import CONSOLE, shown
from sightline.heads.labels import CLASSIFY
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.summary import Summary
    from sightline.doctor import Diagnosis
    from sightline.lineage.impact import Impact
    from sightline.registry.outcome import Outcome
    from sightline.verify.finding import Finding
    from sightline.verify.unused import Unused

WEAKEST = 10
"""Slices that the terminal shows; the figures and the report have all."""
LONG = ("params", "evidence", "metrics", "machine")
"""Parts of a lineage that the page and the JSON show in full."""
COLOURS = {"ran": "green", "cached": "cyan", "up to date": "cyan"}


def show_summary(summary: Summary) -> None:
    """The table at the end of `sightline run`."""
    stages = Table("stage", "what", "seconds", "", title="What each stage did", title_justify="left")
    for row in summary.rows:
        stages.add_row(row.name, row.what, f"{row.seconds:.1f}", f"[{COLOURS[row.outcome]}]{row.outcome}[/]")
    CONSOLE.print(stages)
    measure = summary.scores[0].measure if summary.scores else "accuracy"
    title = f"{measure[0].upper()}{measure[1:]}" if measure.islower() else measure
    scores = Table("model", measure, "95 % interval", "", title=title, title_justify="left")
    if summary.backbone_accuracy is not None:
        scores.add_row("backbone, source validation images", f"{summary.backbone_accuracy:.3f}", "", "")
    for score in summary.scores:
        chosen = "chosen" if score.chosen else ""
        scores.add_row(
            f"target test images, {score.name}", f"{score.accuracy:.3f}", f"{score.low:.3f} – {score.high:.3f}", chosen
        )
    CONSOLE.print(scores)
    outcome = summary.outcome
    show_checks(outcome)
    for one in summary.findings:
        CONSOLE.print(f"[yellow]data[/]      {shown(one)}", highlight=False, soft_wrap=True)
    CONSOLE.print(f"choice    {summary.choice}", highlight=False)
    CONSOLE.print(f"gate      {shown(outcome.words)}", highlight=False)
    for one in outcome.messages:
        CONSOLE.print(f"registry  {shown(one)}", highlight=False)
    CONSOLE.print(f"champion  {f'version {outcome.champion}' if outcome.champion else 'none'}", highlight=False)
    CONSOLE.print(f"report    {summary.report}", highlight=False, soft_wrap=True)


def show_evaluation(version: str, figures: dict[str, Any]) -> None:
    """What `sightline evaluate` found."""
    sure, sets, harm, cost = (figures[name] for name in ("abstention", "conformal", "robustness", "cost"))
    release = figures["release"]
    CONSOLE.print(f"version {version} on release {release['name']}, {release['images']} images", highlight=False)
    for path in release["left"]:
        CONSOLE.print(f"[red]without[/] {shown(path)}, which has left the test role", highlight=False)
    rows = Table(box=None, show_header=False)
    from sightline.heads.known import of  # torch, which other commands do without

    head = of(figures.get("task", CLASSIFY))
    for name, said in head.lines(figures):
        rows.add_row(name, said)
    rows.add_row("log loss, Brier", f"{figures['log_loss']:.3f}, {figures['brier']:.3f}")
    rows.add_row("calibration error", f"{figures['ece_after']:.3f}, before temperature {figures['ece_before']:.3f}")
    if sure["threshold"] is not None:
        rows.add_row("abstains below", f"{sure['threshold']:.3f}: answers {sure['coverage']:.1%}")
    elif sure["wanted_accuracy"] is not None:
        rows.add_row("abstains", f"for no lack of sureness: {sure['wanted_accuracy']:g} cannot be promised")
    if sets is not None:
        held = f"the true class in {sets['coverage']:.1%}"
        if not head.is_exclusive:
            held = f"{sets['coverage']:.1%} of the labels"
        rows.add_row("sets", f"hold {held}, {sets['mean_size']:.2f} classes")
    rows.add_row("corrupted", f"{harm['mean']:.3f}, as they are {harm['clean']:.3f} ({harm['images']} images)")
    if "grid" in harm:
        rows.add_row("mean corruption error", f"{harm['mean_corruption_error']:.3f}")
    rows.add_row("an answer takes", f"{cost['p50_ms']:.1f} ms, 95 % within {cost['p95_ms']:.1f} ms")
    rows.add_row("memory", f"{cost['memory_mb']:.0f} MB")
    CONSOLE.print(rows, highlight=False)
    slices = Table("slice", "images", head.figure, "95 % interval", title="Weakest slices", title_justify="left")
    for row in figures["slices"][:WEAKEST]:
        interval = f"{row['low']:.3f} – {row['high']:.3f}"
        slices.add_row(shown(row["name"]), f"{row['images']:,}", f"{row['accuracy']:.3f}", interval)
    CONSOLE.print(slices)
    if "grid" in harm:
        _show_grid(harm["grid"])


def _show_grid(grid: dict[str, list[float]]) -> None:
    table = Table("corruption", "1", "2", "3", "4", "5", title="Accuracy by severity", title_justify="left")
    for name, row in grid.items():
        table.add_row(name.replace("_", " "), *(f"{accuracy:.3f}" for accuracy in row))
    CONSOLE.print(table)


def show_outcome(outcome: Outcome) -> None:
    """What a promotion or a rollback came to."""
    for one in outcome.messages:
        CONSOLE.print(shown(one), highlight=False)
    show_checks(outcome)
    CONSOLE.print(shown(outcome.words), highlight=False)
    CONSOLE.print(f"champion  {f'version {outcome.champion}' if outcome.champion else 'none'}", highlight=False)


def show_checks(outcome: Outcome) -> None:
    """The checks of the gate, where it had something to decide."""
    if not outcome.blessings:
        return
    table = Table("check", "verdict", "what it found", title="Gate", title_justify="left")
    for one in outcome.blessings:
        colour = "red" if one.blocks else "green" if one.verdict == "passed" else "dim"
        table.add_row(one.name, f"[{colour}]{one.verdict}[/]", shown(one.sentence))
    CONSOLE.print(table)


def show_history(rows: Sequence[dict[str, Any]]) -> None:
    """The ledger, the newest row last."""
    table = Table("when (UTC)", "by", "version", "champion before", "decision", "why")
    for row in rows:
        loud = " [red]OVERRIDDEN[/]" if row["evidence"].get("overridden") else ""
        table.add_row(
            row["at"][:16].replace("T", " "),
            shown(row["actor"]),
            row["version"],
            row["champion_before"] or "none",
            row["decision"] + loud,
            shown(row["reason"]),
        )
    CONSOLE.print(table)


def show_lineage(found: dict[str, Any]) -> None:
    """Lineage as a tree, and what of it is not known."""
    tree = Tree(f"[bold]{shown(found['model'])} version {found['version']}[/] {' '.join(found['aliases'])}")
    for name, value in found.items():
        if name not in {"format", "model", "version", "aliases", "missing"} and _says(value):
            _grow(tree, name, value)
    CONSOLE.print(tree, soft_wrap=True)
    for sentence in found["missing"]:
        CONSOLE.print(f"[red]not known[/] {shown(sentence)}", highlight=False, soft_wrap=True)


def _grow(tree: Tree, name: str, value: Any) -> None:
    if isinstance(value, list):
        node = tree.add(f"[bold]{shown(name)}[/]")
        for number, inner in enumerate(value, 1):
            _grow(node, inner.get("stage") or f"{number}", inner)
    elif isinstance(value, dict) and name in LONG:
        tree.add(f"{shown(name)}: {counted(len(value), 'value')}", highlight=False)
    elif isinstance(value, dict):
        node = tree.add(f"[bold]{shown(name)}[/]")
        for key, inner in value.items():
            if _says(inner):
                _grow(node, key, inner)
    else:
        tree.add(shown(f"{name}: {value}"), highlight=False)


def _says(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_says(inner) for inner in value.values())
    return value not in (None, "", [])


def show_impact(found: Impact) -> None:
    """What an image touched."""
    CONSOLE.print(f"sha256 {found.sha256}", highlight=False, soft_wrap=True)
    for title, columns, rows in (
        (
            "Versions of the data",
            ("data set", "version", "path", "label", "role", "status"),
            [(one.use, one.version[:8], one.path, one.label, one.role, one.status) for one in found.data],
        ),
        (
            "Models",
            ("model", "version", "aliases", "how"),
            found.models and [(one.model, one.version, ", ".join(one.aliases), one.parts) for one in found.models],
        ),
        (
            "Promotions",
            ("when (UTC)", "model", "version", "decision", "why"),
            found.promotions
            and [
                (one.at[:16].replace("T", " "), one.model, one.version, one.decision, one.reason)
                for one in found.promotions
            ],
        ),
    ):
        table = Table(*columns, title=title, title_justify="left")
        for row in rows or ():
            table.add_row(*map(_cell, row))
        CONSOLE.print(table if rows else f"{title}: [red]not known[/]" if rows is None else f"{title}: none")
    for sentence in found.unknown:
        CONSOLE.print(f"[red]not known[/] {shown(sentence)}", highlight=False, soft_wrap=True)


def _cell(value: Any) -> str:
    return "\n".join(map(shown, value)) if isinstance(value, (tuple, list)) else shown(str(value or ""))


def show_versions(use: str, entries: Sequence[dict[str, Any]]) -> None:
    """The log of a data set, the newest version last."""
    table = Table(
        "version", "when (UTC)", "by", "held by", "images", "size", "what changed", title=use, title_justify="left"
    )
    for one in entries:
        held = ", ".join([*(["now"] if one["now"] else []), *([one["commit"]] if one["commit"] else [])])
        when = one["at"][:16].replace("T", " ")
        size = decimal(one["bytes"])
        table.add_row(one["version"][:8], when, one["by"], held, f"{one['usable']:,}", size, _cell(one["what"]))
    CONSOLE.print(table)


def show_found(findings: Sequence[Finding]) -> None:
    """What was verified: a line for each kind that is whole, one for each thing that is not, or was not."""
    table = Table("what", "which", "state", "what there is to say")
    colours = {"whole": "green", "healed": "yellow", "damaged": "red"}
    for one in findings:
        table.add_row(one.what, shown(one.which), f"[{colours[one.state]}]{one.state}[/]", shown(one.said))
    CONSOLE.print(table)


def show_unused(found: Sequence[Unused]) -> None:
    """What nothing uses any more, the largest first."""
    table = Table("what", "size", "days unused")
    for one in found:
        table.add_row(shown(one.path), decimal(one.bytes), f"{one.days:,.0f}")
    CONSOLE.print(table)


def show_diagnoses(diagnoses: Sequence[Diagnosis]) -> None:
    """What the doctor found."""
    for one in diagnoses:
        said = markup.escape(visible(one.said, lines=True))
        CONSOLE.print(
            f"[{'green' if one.good else 'red'}]{'ok ' if one.good else 'BAD'}[/] {one.what}: {said}",
            highlight=False,
        )
