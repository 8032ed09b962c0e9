"""What a backbone is worth that learned from formulas alone, for images of one's own: 5, 20 and 100 per class.

    python benchmarks/own_images.py --data FOLDER --cells FILE [--init FILE] [--draws 5] [--sets steel apple]

Each draw is what `sightline run` trains in a project that `sightline init` made, with the recipes of its preset: from
scratch, the linear head and the fine-tuned network; the choice is the engine's, on the validation images. Sets as in
`benchmarks/sets.py`, and twenty classes of Tiny ImageNet; `--data` holds them as FOLDER/SET/SET.tar. `--init` may be a
file of weights, too. The marks: a mean lead over scratch of 5 points with 5 images per class and 3 with 20, and
nowhere below half a point with 100. Finished cells stand in `--cells` and are not computed again.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
from pathlib import Path
from typing import Any

import torch
from quality_planted import unpack
from sets import SOURCE, Cells, files_of, finetuned, lead, listed, place, project, write_table

from sightline import config
from sightline.data.loader import load_any
from sightline.recipe import Recipe
from sightline.scaffold import OWN_IMAGES, template
from sightline.train import stages
from sightline.train.chain import SCRATCH
from sightline.train.inference import scored

SIZE, NETWORK = OWN_IMAGES["preprocess.size"], "cnn"
MARKS = {5: 0.05, 20: 0.03, 100: -0.005}
"""Images per class → least mean lead over training from scratch."""
TINY = "tiny"
TINY_CLASSES = 20
DRAWS = 5


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("own_images.json"), help="file of the finished cells")
    parser.add_argument("--work", type=Path, help="folder of the unpacked images")
    parser.add_argument("--init", default="embedded:fractals", help="pretrain.init, as in params.yaml")
    parser.add_argument("--sets", nargs="+", default=["steel", "apple", TINY])
    parser.add_argument("--counts", nargs="+", type=int, default=list(MARKS))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--preset", default=OWN_IMAGES["project.preset"])
    words = parser.parse_args()
    work = words.work or words.cells.with_suffix(".work")
    cells, recipes = Cells(words.cells), recipes_of(words.preset)
    for draw in range(words.draws):
        for count in words.counts:
            for name in words.sets:
                key = f"{name}/{count}/{draw}/{words.preset}"
                row = one(name, count, draw, words, work, recipes, cells.rows.get(key, {}))
                cells.keep(key, row)
                print(key, json.dumps(row), flush=True)
    report(cells, words)


def one(
    name: str, count: int, draw: int, words: Any, work: Path, recipes: dict[str, Recipe], known: dict[str, Any]
) -> dict[str, Any]:
    """What each way came to in a draw, by what it began with; what is `known` is not computed again."""
    missing = [init for init in dict.fromkeys([SCRATCH, words.init]) if init not in known]
    if not missing:
        return known
    folder = work / f"{name}-{count}-{draw}"
    shutil.rmtree(folder, ignore_errors=True)
    images, files = unpacked(name, words.data, work)
    write_table(images, listed(files, draw, count))
    paths = project(folder, images, SIZE)
    test = load_any(paths.shards("target"), "test")
    row = dict(known)
    for init in missing:
        if init == SCRATCH:
            ways = {SCRATCH: stages.scratch(place(paths, SCRATCH), NETWORK, recipes["scratch"], draw)}
        else:
            given = Path(init).resolve() if Path(init).is_file() else init
            head, tuned = finetuned(paths, given, NETWORK, recipes["finetune"], draw, "backbone")
            ways = {"head": head, "finetuned": tuned}
        row[init] = {
            way: {"val": one.val_accuracy, "loss": one.val_fitted_loss, "seconds": one.seconds}
            | {"test": scored(one.load(paths.root), test)[1]}
            for way, one in ways.items()
        }
    shutil.rmtree(folder)
    return row


def unpacked(name: str, data: Path, work: Path) -> tuple[Path, list[dict[str, Any]]]:
    """A set in `work`, brought there once: where its images lie, and their rows."""
    folder = work / name
    kept = folder / "files.json"
    if kept.is_file():
        where, files = json.loads(kept.read_text(encoding="utf-8"))
        return Path(where), files
    if name == TINY:
        given = unpack(data / SOURCE, folder)
        classes = sorted({str(one["label"]) for one in given.files})
        wanted = set(classes[:: len(classes) // TINY_CLASSES])
        images, files = given.folder, [one for one in given.files if one["label"] in wanted]
    else:
        images, files = files_of(name, data, folder)
    kept.write_text(json.dumps([str(images.resolve()), files]), encoding="utf-8")
    return images.resolve(), files


def recipes_of(preset: str) -> dict[str, Recipe]:
    """The recipes of a project around one's own images."""
    params: dict[str, Any] = config.read(template(config.PARAMS).parent)
    return {key: Recipe(**{**values, "flip": True}) for key, values in params["presets"][preset].items()}


def chosen(ways: dict[str, dict[str, float]]) -> str:
    """The way that the engine takes, as `sightline.train.chain.choose`."""
    return max(ways, key=lambda way: (ways[way]["val"], -ways[way]["loss"]))


def report(cells: Cells, words: Any) -> None:
    """Means over the draws, then one line of JSON."""
    print(f"\n{platform.machine()}, {torch.get_num_threads()} threads, {words.draws} draws, preset {words.preset}")
    met, leads = words.draws == DRAWS, {}
    for count in words.counts:
        for name in words.sets:
            rows = [cells.rows[f"{name}/{count}/{draw}/{words.preset}"] for draw in range(words.draws)]
            ways = [row[SCRATCH] | row[words.init] for row in rows]
            means = {way: statistics.mean(one[way]["test"] for one in ways) for way in ways[0]}
            picks = [chosen(one) for one in ways]
            best = [one[pick]["test"] for one, pick in zip(ways, picks, strict=True)]
            mean, bound = lead(best, [one[SCRATCH]["test"] for one in ways])
            leads[f"{name}_{count}"] = mean
            met &= mean >= MARKS[count]
            print(
                f"{name:6} {count:3} per class:",
                *(f"{way} {value:.3f} " for way, value in means.items()),
                f"chosen {statistics.mean(best):.3f} ({picks.count(SCRATCH)} × scratch),",
                f"lead {mean:+.3f}, lower bound {bound:+.3f}",
            )
    print(json.dumps({"name": "own_images", "init": words.init, "leads": leads, "marks": MARKS, "met": met}))


if __name__ == "__main__":
    main()
