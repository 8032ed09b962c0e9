"""Reading YAML of strangers: one document of plain values, of a size that was written down and not multiplied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 8 << 20
MOST_VALUES = 200_000
"""Values, each counted as often as an alias repeats it."""
DEEPEST = 40
"""Lists and mappings inside of one another."""


class Unreadable(ValueError):
    """No such YAML; the message says why in a few words, without the name of the file."""


def read(path: Path) -> Any:
    """The values of the file at `path`; None of an empty one. Raises Unreadable."""
    return parse(text(path))


def text(path: Path) -> str:
    r"""The file's text, its line ends as \\n, once it is known that reading it as YAML costs no more than its size.

    Raises Unreadable.
    """
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"its {path.stat().st_size / 1e6:.0f} MB are no values that somebody wrote")
    try:
        found = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text (but perhaps UTF-16 or cp1252): save it as UTF-8") from None
    weigh(found)
    return found


def parse(given: str) -> Any:
    """The values of a YAML text. Raises Unreadable."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    weigh(given)
    try:
        values = YAML(typ="safe").load(given)
    except (YAMLError, TypeError) as error:
        raise Unreadable(_words(error)) from None
    except ValueError as error:
        # A thirteenth month, or a number of thousands of digits.
        raise Unreadable(f"a date or a number in it is none ({error})") from None
    _check_keys(values)
    return values


def weigh(given: str) -> None:
    """Raise Unreadable where the text is no YAML, or where its aliases multiply what it holds (a bomb)."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        _count(YAML(typ="safe").parse(given))
    except YAMLError as error:
        raise Unreadable(_words(error)) from None


def _count(events: Iterator[Any]) -> None:
    """Add up the values below each anchor, from the inside out, before anything is made of them."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

    known: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = [(None, 0)]
    for event in events:
        if isinstance(event, CollectionStartEvent):
            opened.append((event.anchor, 1))
            if len(opened) > DEEPEST:
                raise Unreadable(f"more than {DEEPEST} lists or mappings stand inside of one another")
            continue
        if isinstance(event, CollectionEndEvent):
            anchor, size = opened.pop()
        elif isinstance(event, ScalarEvent):
            anchor, size = event.anchor, 1
        elif isinstance(event, AliasEvent):
            if event.anchor not in known:
                raise Unreadable(f"*{event.anchor} stands for nothing, or for itself")
            anchor, size = None, known[event.anchor]
        else:
            continue
        if anchor is not None:
            known[anchor] = size
        around, held = opened[-1]
        if held + size > MOST_VALUES:
            raise Unreadable(f"its aliases multiply what it holds to more than {MOST_VALUES:,} values")
        opened[-1] = (around, held + size)


def _check_keys(values: Any) -> None:
    """A key that is no text has no name to be told by."""
    if isinstance(values, dict):
        for key, value in values.items():
            if not isinstance(key, str):
                raise Unreadable(f"the key {key!s:.60} is no text but a {type(key).__name__}: put it in quotes")
            _check_keys(value)
    elif isinstance(values, list):
        for value in values:
            _check_keys(value)


def _words(error: Exception) -> str:
    """What is wrong and in which line; the whole message spans lines and ends with advice for programmers."""
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark else ""
    return f"{str(getattr(error, 'problem', None) or error).partition(chr(10))[0]}{where}"
