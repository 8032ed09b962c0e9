"""Tests of answers for many images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from answering import CLASSES, version
from conftest import COLOURS, draw, make_images

from sightline.errors import ConfigError, DataError
from sightline.images.reading import UnreadableImage
from sightline.serve import images
from sightline.serve import score as scoring
from sightline.serve.images import sources
from sightline.serve.score import job, score


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images, a text that calls itself one, and a file that does not."""
    made = make_images(tmp_path_factory.mktemp("score") / "images", per_class=10)
    (made / "red" / "broken.png").write_text("no image", encoding="utf-8")
    (made / "notes.txt").write_text("no image", encoding="utf-8")
    return made


def test_every_image_is_a_row(folder: Path, tmp_path: Path) -> None:
    """In order, with the answer of the predictor, or with the reason why there is none."""
    asked, one = sources(folder), version("7")
    done = score(asked, one, tmp_path / "out.parquet")
    rows = pd.read_parquet(tmp_path / "out.parquet")
    assert rows["path"].tolist() == [source.name for source in asked]
    assert (done.images, done.unreadable, done.resumed) == (31, 1, 0)
    broken = rows["path"].str.endswith("broken.png")
    assert rows.loc[broken, "error"].item().startswith("not an image of an allowed format")
    good = rows[~broken]
    answers = one.predictor.predict([source.read() for source, bad in zip(asked, broken, strict=True) if not bad])
    assert good["label"].tolist() == [answer.label for answer in answers]
    assert good["probability"].tolist() == pytest.approx([answer.probability for answer in answers], abs=1e-5)
    assert set(rows["version"]) == {"7"}
    assert done.abstained == int(good["abstain"].sum())
    assert json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"classes"]) == list(CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_killed_job_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was answered is not answered again, unless images or version are others; no image is there twice."""
    monkeypatch.setattr(scoring, "PART", 4)
    asked, out = sources(folder), tmp_path / "out.parquet"

    class Killed(BaseException):
        pass

    def killed_after(count: int) -> None:
        out.unlink(missing_ok=True)
        seen = 0

        def step(done: int) -> None:
            nonlocal seen
            seen += done
            if seen >= count:
                raise Killed

        with pytest.raises(Killed):
            score(asked, version("1"), out, step)
        assert not out.exists()

    killed_after(12)
    assert score(asked, version("1"), out).resumed == 12
    rows = pd.read_parquet(out)
    assert rows["path"].is_unique
    assert len(rows) == len(asked)
    killed_after(12)
    assert score(asked, version("2"), out).resumed == 0
    killed_after(12)
    assert score(asked[1:], version("1"), out).resumed == 0
    killed_after(12)
    limited = version("1")
    limited.predictor.max_pixels = 100
    assert score(asked, limited, out).unreadable == len(asked)


def test_killed_job_keeps_no_answer_of_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of a list of the same names elsewhere, nor of a file or a tar that was replaced."""
    monkeypatch.setattr(scoring, "PART", 1)
    monday, tuesday, out = tmp_path / "monday", tmp_path / "tuesday", tmp_path / "out.parquet"
    for folder, colour in ((monday, "red"), (tuesday, "green")):
        folder.mkdir()
        draw(1, COLOURS[colour]).save(folder / "a.png")
        (folder / "list.csv").write_text("path\na.png\nmissing.png\n", encoding="utf-8")
        with tarfile.open(folder / "all.tar", "w") as tar:
            tar.add(folder / "a.png", "a.png")
    stamp = (monday / "a.png").stat()

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    def resumed(before: Path, after: Path) -> int:
        with pytest.raises(KeyboardInterrupt):
            score(sources(before), version("1"), out, killed)
        if before == after:
            replaced = tuesday / ("all.tar" if after.suffix == ".tar" else "a.png")
            (monday / replaced.name).write_bytes(replaced.read_bytes())
            os.utime(monday / replaced.name, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
        return score(sources(after), version("1"), out).resumed

    assert resumed(monday / "list.csv", tuesday / "list.csv") == 0
    assert resumed(monday / "list.csv", monday / "list.csv") == 0
    assert resumed(monday / "all.tar", monday / "all.tar") == 0


def test_two_jobs_never_share_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second into the same file is refused while the first works; others, and whoever comes later, are not."""
    monkeypatch.setattr(scoring, "PART", 16)
    out = tmp_path / "out.parquet"
    refused: list[object] = []

    def step(_: int) -> None:
        if not refused:
            with pytest.raises(DataError, match=r"another job is writing .*out\.parquet: wait for it, or let") as error:
                score(sources(folder / "red"), version("1"), out)
            refused.append(error)
            score(sources(folder / "red"), version("1"), tmp_path / "other.parquet")

    asked = sources(folder)
    done = score(asked, version("1"), out, step)
    assert refused
    assert done.images == len(pd.read_parquet(out)) == len(asked)
    assert len(pd.read_parquet(tmp_path / "other.parquet")) == len(sources(folder / "red"))
    assert score(asked, version("1"), out).resumed == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.parquet", "out.parquet"]


def test_lock_of_a_killed_job_holds_nobody_up(folder: Path, tmp_path: Path) -> None:
    """It ends with its process."""
    script = (
        "import os, sys; from pathlib import Path; from sightline.serve.score import _alone\n"
        "with _alone(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    out = tmp_path / "out.parquet"
    subprocess.run([sys.executable, "-P", "-c", script, str(out)], check=False)
    assert (tmp_path / ".out.parquet.lock").exists()
    assert score(sources(folder), version("1"), out).images == len(pd.read_parquet(out))
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_parts_of_another_job_are_no_answers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock holds, as on some network disks: neither kept from before, nor joined."""
    monkeypatch.setattr(scoring, "PART", 16)
    out, kept = tmp_path / "out.parquet", tmp_path / "kept.parquet"
    part = tmp_path / ".out.parquet.parts" / "000000.part"

    class Killed(BaseException):
        pass

    def killed(_: int) -> None:
        shutil.copyfile(part, kept)
        raise Killed

    def mixed(_: int) -> None:
        shutil.copyfile(kept, part)

    with pytest.raises(Killed):
        score(sources(folder / "red"), version("1"), out, killed)
    with pytest.raises(DataError, match="another job has written into it"):
        score(sources(folder), version("1"), out, mixed)
    assert not out.exists()
    assert score(sources(folder), version("1"), out).resumed == len(sources(folder)) - 16


@pytest.mark.parametrize("place", [5, 40, "middle", -10, "half", "nothing"])
def test_damaged_part_is_answered_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int | str
) -> None:
    """Whichever byte changed, or whatever was cut: a job of the same images goes on, and its answers are right."""
    monkeypatch.setattr(scoring, "PART", 8)
    asked, out, whole = sources(folder), tmp_path / "out.parquet", tmp_path / "whole.parquet"
    score(asked, version("1"), whole)

    def damage(_: int) -> None:
        part = min(path for path in (tmp_path / ".out.parquet.parts").iterdir() if path.name != "plan.json")
        data = bytearray(part.read_bytes())
        if place in {"half", "nothing"}:
            data = data[: len(data) // 2 if place == "half" else 0]
        else:
            data[len(data) // 2 if isinstance(place, str) else place] ^= 1
        part.write_bytes(data)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(asked, version("1"), out, damage)
    assert score(asked, version("1"), out).resumed == 0
    assert pq.read_table(out).equals(pq.read_table(whole))


def test_part_that_is_damaged_while_the_job_works_is_not_joined(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and the job that is asked for again answers that part alone."""
    monkeypatch.setattr(scoring, "PART", 8)
    asked, out = sources(folder), tmp_path / "out.parquet"

    def damage(_: int) -> None:
        part = min((tmp_path / ".out.parquet.parts").glob("000000.*"))
        data = part.read_bytes()
        part.write_bytes(data[:200] + b"#" + data[201:])

    with pytest.raises(DataError, match=r"000000\.part is not as it was written: .*, or the disk fails; .* this one"):
        score(asked, version("1"), out, damage)
    assert not out.exists()
    assert score(asked, version("1"), out).resumed == len(asked) - 8


def test_file_in_which_nobody_looks_for_images_is_refused(tmp_path: Path) -> None:
    """By what it is; one that is called like an image, or begins like one, is a row whatever is in it."""
    draw(1, COLOURS["red"]).save(tmp_path / "photo", "PNG")
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "photo", "photo.png")
    (tmp_path / "notes.txt").write_text("cats and dogs", encoding="utf-8")
    (tmp_path / "broken.PNG").write_text("no image", encoding="utf-8")
    (tmp_path / "odd.bin").write_bytes(bytes(range(255, 100, -1)))
    for name, said in {
        "photos.tar.gz": r"photos\.tar\.gz: no image, no table \(.csv, .jsonl\) and no tar file, but an archive",
        "notes.txt": r"no tar file, but a text$",
        "odd.bin": r"no tar file$",
    }.items():
        with pytest.raises(DataError, match=said):
            job(name, "out.parquet", tmp_path)
    for name in ("photo", "broken.PNG"):
        (found,), _ = job(name, "out.parquet", tmp_path)
        assert found.file == tmp_path / name


def test_answers_need_a_file_of_their_own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Parquet file that is none of the images, relative to where the job is told of, or to the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    photo = tmp_path / "photo.parquet"
    draw(1, COLOURS["red"]).save(photo, "PNG")
    (tmp_path / "list.csv").write_text("path\nphoto.parquet\n", encoding="utf-8")
    refused = {
        ("photo.parquet", "photo.parquet"): "is one of the images",
        ("list.csv", "../" + tmp_path.name + "/photo.parquet"): "is one of the images",
        (str(folder), "answers.csv"): "let its name end in .parquet",
        (str(folder), "."): "is a folder: name a file in it",
        (str(folder), " "): "out is empty",
        ("", "out.parquet"): "images is empty",
    }
    for given, sentence in refused.items():
        with pytest.raises(ConfigError, match=sentence):
            job(*given, tmp_path)
    asked, place = job("~/list.csv", "~/out.parquet", Path("elsewhere"))
    assert (len(asked), place) == (1, tmp_path / "out.parquet")


def test_members_of_tars_are_named_as_in_a_manifest(tmp_path: Path) -> None:
    """In a table, or alone: what `sightline data label export` writes of shards can be asked about."""
    draw(1, COLOURS["red"]).save(tmp_path / "a.png")
    with tarfile.open(tmp_path / "train-0.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "sub/a.png")
    (tmp_path / "list.csv").write_text("path\ntrain-0.tar/sub/a.png\ntrain-0.tar/b.png\n", encoding="utf-8")
    data = (tmp_path / "a.png").read_bytes()
    assert [one.read() for one in sources(tmp_path / "train-0.tar" / "sub" / "a.png")] == [data]
    found, missing = sources(tmp_path / "list.csv")
    assert (found.name, found.read()) == ("train-0.tar/sub/a.png", data)
    with pytest.raises(OSError, match="Not a directory"):
        missing.read()
    with pytest.raises(DataError, match="no such file"):
        sources(tmp_path / "train-0.tar" / "b.png")


def test_tar_that_is_cut_says_so_in_place_of_what_it_lacks(tmp_path: Path) -> None:
    """Whoever asks reads it where an image that cannot be read is told, behind those that are whole."""
    draw(1, COLOURS["red"]).save(tmp_path / "a.png")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name in ("a.png", "b.png"):
            tar.add(tmp_path / "a.png", name)
    whole = (tmp_path / "x.tar").read_bytes()
    assert len(sources(tmp_path / "x.tar")) == 2
    (tmp_path / "x.tar").write_bytes(whole[: whole.index(b"b.png") + 700])
    image, rest = sources(tmp_path / "x.tar")
    assert image.read() == (tmp_path / "a.png").read_bytes()
    assert rest.name == str(tmp_path / "x.tar")
    with pytest.raises(UnreadableImage, match=r"^x\.tar ends early or is damaged, after 1 file: download it again$"):
        rest.read()
    assert sources(tmp_path / "x.tar" / "a.png") == [image]


def test_names_that_are_no_text_are_spelled(tmp_path: Path) -> None:
    """On the disk and in a tar file: Parquet holds UTF-8 alone."""
    data = draw(1, COLOURS["red"])
    (tmp_path / "images").mkdir()
    with open(os.fsencode(tmp_path / "images") + b"/caf\xe9.png", "wb") as file:  # noqa: PTH123 — the name is no text
        data.save(file, "PNG")
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(tmp_path / "images", "images")
    name = "images/caf\\xe9.png"
    for given, shown in ((tmp_path / "images", name), (tmp_path / "all.tar", f"all.tar/{name}")):
        score(sources(given), version("1"), tmp_path / "out.parquet")
        rows = pd.read_parquet(tmp_path / "out.parquet")
        assert (rows["path"].item(), rows["label"].isna().item()) == (f"{tmp_path}/{shown}", False)


def test_tables_tars_and_files_are_read(folder: Path, tmp_path: Path) -> None:
    """A folder, a table of paths beside it, a tar of it and a file give the same bytes for the same image."""
    first = min((folder / "red").glob("0*.png"))
    table = folder.parent / "wanted.csv"
    table.write_text(f"path,who\n{folder.name}/red/{first.name},me\n", encoding="utf-8")
    lines = folder.parent / "wanted.jsonl"
    lines.write_text(json.dumps({"path": f"{folder.name}/red/{first.name}"}) + "\n", encoding="utf-8")
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        tar.add(folder, "images")
    (inside,) = (one for one in sources(tmp_path / "all.tar") if one.name.endswith(f"red/{first.name}"))
    for found in (*sources(table), *sources(lines), *sources(first), inside):
        assert found.read() == first.read_bytes()
    assert len(sources(tmp_path / "all.tar")) == len(sources(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no image in it"):
        sources(tmp_path / "empty")
    for text in ("Path;who\n{};me\n", "file_name\twho\n{}\tme\n"):
        table.write_text(text.format(f"{folder.name}/red/{first.name}"), encoding="utf-16")
        assert [one.read() for one in sources(table)] == [first.read_bytes()]
    for text, said in (
        ("where,who\nx.png,me\n", "'where', 'who'.* a column path"),
        ("path,who\n,me\n", "line 2: there is no"),
    ):
        table.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=said):
            sources(table)
    with pytest.raises(DataError, match=r"nowhere\.csv cannot be read: No such file"):
        sources(tmp_path / "nowhere.csv")


def test_folder_has_the_images_that_would_be_learned_from(tmp_path: Path) -> None:
    """Files without an ending that begin like an image; no masks, nothing hidden, and not what systems leave."""
    image = (draw(1, COLOURS["red"]), "PNG")
    for name in ("IM000001", "a.png", "b/c.jpg?w=200", "a_mask.png", "@eaDir/a.png", ".thumbs/a.png", "__MACOSX/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            image[0].save(file, image[1])
    (tmp_path / "notes.txt").write_text("BM")
    (tmp_path / "README").write_text("nothing")
    assert [one.name.removeprefix(f"{tmp_path}/") for one in sources(tmp_path)] == [
        "IM000001",
        "a.png",
        "b/c.jpg?w=200",
    ]
    assert [one.file.name for one in images.asked(f"{tmp_path}/*")] == ["IM000001", "a.png", "a_mask.png"]
