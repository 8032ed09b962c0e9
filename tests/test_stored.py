"""Sealed documents and manifests: what was changed, cut or exchanged is not taken for what was stored."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import stored
from sightline.errors import Damaged

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {"classes": ("a", "ü"), "size": 16, "share": 0.1, "none": None, "inner": {"x": [1, 2]}}


@pytest.fixture
def document(tmp_path: Path) -> Path:
    (tmp_path / "one.json").write_text(stored.seal(VALUES), encoding="utf-8")
    return tmp_path / "one.json"


def test_sealed_document_comes_back(document: Path) -> None:
    """What was said is read again, as JSON has it."""
    assert stored.unseal(document) == json.loads(json.dumps(VALUES))


@given(st.data())
def test_any_changed_byte_shows(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever byte becomes another: the document is refused, or it says the same as before."""
    file = tmp_path_factory.getbasetemp() / "flipped.json"
    content = bytearray(stored.seal(VALUES).encode())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    with suppress(Damaged):
        assert stored.unseal(file, VALUES.keys()) == json.loads(json.dumps(VALUES))


def test_cut_missing_and_foreign_documents_are_refused(document: Path) -> None:
    """Half of it, none of it, another kind of value and a digest of its own are no document."""
    whole = document.read_text(encoding="utf-8")
    for damage in (whole[:-20], "", "[]", "null", "[" * 100_000, json.dumps({**VALUES, "digest": "0"})):
        document.write_text(damage, encoding="utf-8")
        with pytest.raises(Damaged, match=r"one.json"):
            stored.unseal(document, VALUES.keys())
    document.unlink()
    with pytest.raises(Damaged, match="is missing"):
        stored.unseal(document)


def test_document_from_before_counts_where_it_says_no_more(document: Path) -> None:
    """Without a digest it is taken only where it says what such documents said then."""
    document.write_text(json.dumps(VALUES), encoding="utf-8")
    assert stored.unseal(document, [*VALUES, "more"])["size"] == 16
    for before in ((), ("size", "classes")):
        with pytest.raises(Damaged, match="was changed"):
            stored.unseal(document, before)


def test_document_in_the_place_of_another_is_refused(document: Path) -> None:
    """Whole as it is, it says nothing of what is asked."""
    assert stored.unseal(document, needed=["size"])["size"] == 16
    with pytest.raises(Damaged, match="is about something else"):
        stored.unseal(document, needed=["size", "weights"])


def test_document_of_another_key_is_refused(document: Path) -> None:
    """It names the key that it was written for; one from before documents did so counts."""
    assert stored.kept(document, "one") == stored.unseal(document)
    stored.keep(document, "one", VALUES)
    assert stored.kept(document, "one") == json.loads(json.dumps(VALUES))
    with pytest.raises(Damaged, match="is about something else"):
        stored.kept(document, "another")


def test_manifest_knows_its_files(tmp_path: Path) -> None:
    """A changed, a missing and a further file are told by name."""
    (tmp_path / "a.bin").write_bytes(b"one")
    (tmp_path / "b.bin").write_bytes(b"two")
    stored.write(tmp_path / "manifest.json", ["a.bin", "b.bin"], code="c")
    assert stored.verified(tmp_path / "manifest.json", ["a.bin", "b.bin"])["code"] == "c"
    with pytest.raises(Damaged, match="about other files"):
        stored.verified(tmp_path / "manifest.json", ["a.bin"])
    (tmp_path / "a.bin").write_bytes(b"two")
    with pytest.raises(Damaged, match=r"a.bin was changed"):
        stored.verified(tmp_path / "manifest.json", ["a.bin", "b.bin"])
    (tmp_path / "a.bin").unlink()
    with pytest.raises(Damaged, match=r"a.bin is missing"):
        stored.verified(tmp_path / "manifest.json", ["a.bin", "b.bin"])


def test_file_is_read_again_where_its_stamp_changed(tmp_path: Path) -> None:
    """In a project an unchanged file is not read twice; other bytes under all its stamps show once notes are gone."""
    (tmp_path / "params.yaml").touch()
    folder = tmp_path / "data" / "shards"
    folder.mkdir(parents=True)
    file = folder / "a.bin"
    file.write_bytes(b"one")
    first = stored.digests(folder, ["a.bin"])
    (notes,) = (tmp_path / stored.NOTES).iterdir()
    times = (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(b"two")
    assert stored.changed(folder, first) == ["a.bin"]
    file.write_bytes(b"one")
    os.utime(file, ns=times)
    assert stored.digests(folder, ["a.bin"]) == first
    file.write_bytes(b"two")
    os.utime(file, ns=times)
    assert stored.digests(folder, ["a.bin"]) == first
    notes.write_text("damaged", encoding="utf-8")
    assert stored.digests(folder, ["a.bin"]) != first
