"""What is wrong with the values of `params.yaml`, in words: key, value, what may stand there."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from sightline.params import PRESET_KEYS, Params
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def explain(error: Any, presets: Mapping[str, Any], shown: Sequence[str] = (), at: Sequence[str] = ()) -> str:
    """One line per finding of pydantic: key, value, what was expected; `presets` are those that were not taken.

    What was checked stands at `shown` of the file, and means what stands at the section `at`.
    """
    lines, missing = [], []
    for finding in error.errors():
        parts = [str(part) for part in finding["loc"] if part != "[key]"]
        key = ".".join((*shown, *parts)) or "params"
        value = "" if isinstance(finding["input"], dict) else f" = {finding['input']!r}"
        if finding["type"] == "unexpected_keyword_argument":
            lines.append(f"{key}{value}: no such parameter{_taken((*at, *parts[:-1]), parts[-1])}")
        elif finding["type"] in {"missing", "missing_argument"}:
            missing.append((key, parts[-1]))
        elif finding["type"] == "bool_type":
            lines.append(f"{key}{value}: give true or false")
        else:
            lines.append(f"{key}{value}: {finding['msg'].removeprefix('Value error, ')}")
    # What is misspelt is missing, too: said once.
    misspelt = "".join(lines)
    lines += [
        f"{key}: missing; {_remedy(key, name, presets)}"
        for key, name in missing
        if f"did you mean {name}?" not in misspelt
    ]
    return "\n".join(lines)


def _remedy(key: str, name: str, presets: Mapping[str, Any]) -> str:
    """What to do where the value called `name` at `key` is missing: a preset that has it was perhaps taken away."""
    stage = next((one for one, way in PRESET_KEYS.items() if key == ".".join((*way, name))), None)
    for preset, parts in presets.items():
        recipe = parts.get(stage) if isinstance(parts, dict) else None
        if isinstance(recipe, dict) and name in recipe:
            return f"without a preset params.yaml must hold it; presets.{preset}.{stage} has {recipe[name]!r}"
    return "compare params.yaml with the one that `sightline init` writes"


def _taken(parts: Sequence[str], name: str) -> str:
    """What may stand in the section at `parts`, and in a recipe of it; which of these `name` may have meant."""
    section: Any = Params
    for part in parts:
        section = get_type_hints(section)[part] if is_dataclass(section) else get_args(section)[-1]
    inside = {".".join(parts) or "params.yaml": section}
    if "recipe" in (own := get_type_hints(section)):
        inside[".".join((*parts, "recipe"))] = own["recipe"]
    keys = {where: sorted(one.name for one in fields(what)) for where, what in inside.items()}
    listed = "; ".join(f"{where} takes {', '.join(names)}" for where, names in keys.items())
    return f"{suggestion(name, [one for names in keys.values() for one in names])}; {listed}"


def no_section(key: str, path: list[str], name: str, section: Any) -> str:
    """That `name` is no section at `path`, and what there is."""
    known = [inner for inner, value in section.items() if isinstance(value, dict)] if isinstance(section, dict) else []
    near, whose = suggestion(name, known), f"{'.'.join(path)} of params.yaml" if path else "params.yaml"
    there = f"its sections are {', '.join(known)}" if known else "it has none"
    return f"{key}: there is no such section in {whose}{near}; {there}"
