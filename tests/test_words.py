"""Texts for people: numbers, and names that must not act on a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import draw
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.tree import Tree
from typer.testing import CliRunner

from flows.cli import console
from flows.cli.app import app
from flows.cli.common import say
from sightline.data import manifest
from sightline.data.labels import exchange
from sightline.data.labels import given as labels
from sightline.data.versions import history
from sightline.words import brief, counted, from_cell, to_cell, visible, with_verb

if TYPE_CHECKING:
    from sightline.project import Paths

CLEARS, TITLE = "\x1b[2J", "\x1b]0;mine\x07"
SUM = "=cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [(0, "image", "0 images"), (1, "class", "1 class"), (2, "class", "2 classes"), (1500, "image", "1,500 images")],
)
def test_number_and_noun_agree(number: int, noun: str, said: str) -> None:
    """One of a thing, several of them, and none; thousands are set apart."""
    assert counted(number, noun) == said


@pytest.mark.parametrize(("number", "said"), [(0, "0 look"), (1, "1 looks"), (1200, "1,200 look")])
def test_number_and_verb_agree(number: int, said: str) -> None:
    """One looks, several look; thousands are set apart."""
    assert with_verb(number, "looks", "look") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one two; three", "one two; three"),
        ("one two; three four; five six", "one two; 2 more"),
        ("one two three four five six", "one two three four five…"),
    ],
)
def test_long_text_keeps_the_clauses_that_fit(text: str, said: str) -> None:
    """Of five words at most: whole clauses with the number of the others, or the first words."""
    assert brief(text, 5) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a{CLEARS}b", r"a\x1b[2Jb"),
        (f"{TITLE}x", r"\x1b]0;mine\x07x"),
        ("a\nb\rc", r"a\nb\rc"),
        ("a\x9b2J", r"a\x9b2J"),
        ("gpj\u202e.exe", r"gpj\u202e.exe"),
        ("caf\udce9", r"caf\udce9"),
        ("Prüfung 猫 1 % [x]", "Prüfung 猫 1 % [x]"),
    ],
)
def test_what_acts_on_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    """Escapes of both kinds, titles, line ends, marks of direction; letters of every script stay."""
    assert visible(text) == shown
    assert visible("a\n\tb", lines=True) == "a\n\tb"


@given(st.text())
def test_a_cell_comes_back_and_never_acts(text: str) -> None:
    """Whatever the text is: its cell begins with no sign of a formula, and says the same when read."""
    assert from_cell(to_cell(text)) == text
    assert not to_cell(text).lstrip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("written", ["plain", SUM, "'=x", "-1", "+1", "@x", " =x", "'quoted'"])
def test_cells_that_people_know(written: str) -> None:
    """What does no harm stays as it is."""
    changed = written not in {"plain", "'quoted'"}
    assert to_cell(written) == (f"'{written}" if changed else written)
    assert from_cell(written) == ("=x" if written == "'=x" else written)


def test_the_console_shows_names_and_obeys_none(capsys: pytest.CaptureFixture[str]) -> None:
    """In lines, tables and trees alike; its own colours are no part of a text."""
    name = f"{CLEARS}{TITLE}[red]x[/]"
    say(name)
    plain = console.Visible(width=200)
    table = Table("name")
    table.add_row(console.shown(name))
    tree = Tree(name)
    tree.add(name)
    for one in (table, tree, name):
        plain.print(one)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\x07" not in said
    assert said.count("x1b[2J") == 5


@pytest.mark.slow
def test_names_of_a_class_act_on_nobody(ingested: Paths) -> None:
    """A class named like a formula and one that clears the screen: exported harmless, imported as they are, shown."""
    raw, odd = ingested.raw("target"), f"cat{CLEARS}\n"
    for number, name in enumerate((SUM.replace("/", "_"), odd, "none")):
        (raw / name).mkdir()
        draw(9_000_000 + number, (9, 9, 9)).save(raw / name / "-1.png")
    (raw / odd / "=broken.png").write_bytes(b"x")
    (raw / "=loose.png").write_bytes(b"y")
    history.ingest(ingested, "target")
    todo = ingested.root / "todo.csv"
    exchange.export(ingested, "target", todo, everything=True)
    texts = [file.read_text() for file in (todo, ingested.quarantine("target"))]
    assert not [cell for text in texts for row in csv.reader(io.StringIO(text)) for cell in row if cell[:1] in {*"=-"}]
    assert "=loose.png" in pd.read_csv(ingested.quarantine("target"))["path"].map(from_cell).tolist()
    before = set(manifest.read(ingested.manifest("target"))["label"].dropna())
    table = pd.read_csv(todo, keep_default_na=False)
    table.loc[table["label"] == "none", "label"] = to_cell(SUM)
    table[table["label"] != ""].to_csv(todo, index=False)
    assert exchange.take(ingested, "target", todo).changed == 1
    (label,) = labels.read(ingested.labels("target")).values()
    assert label.label == SUM
    assert to_cell(SUM) in ingested.labels("target").read_text()
    assert set(manifest.read(ingested.manifest("target"))["label"].dropna()) == before - {"none"} | {SUM}
    commands = (["data", "log"], ["impact", str(raw / odd / "-1.png")])
    said = "".join(CliRunner().invoke(app, words).stdout for words in commands)
    assert r"cat\x1b" in said
    assert "\x1b" not in said
