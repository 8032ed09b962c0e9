"""What must never become champion: each fault is planted in a real project, and blocked with its reason."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import copy_project, enter, make_images, make_project
from safetensors.torch import load_file, save_file
from torch.nn import functional

from sightline import stored
from sightline.config import load
from sightline.data import manifest
from sightline.data.validation.verdict import Verdict, tally
from sightline.digests import dvc_digest, file_digest, tree_digest
from sightline.errors import ConfigError, DataError, RegistryError, Stale
from sightline.evaluate import fixed
from sightline.evaluate.evaluation import Evaluated, evaluate
from sightline.models import backend, runtimes
from sightline.models.sealed import seals
from sightline.params import Gate
from sightline.recipe import Recipe
from sightline.registry import candidate, judge, leaks, promotion
from sightline.registry.blessing import REQUIRED, SERVING
from sightline.registry.candidate import Request
from sightline.registry.champion import record
from sightline.registry.leaks import Leak
from sightline.registry.learned import INIT, Learned
from sightline.registry.opening import history, open_ledger
from sightline.registry.served import answering, served
from sightline.registry.trial import start_trial
from sightline.stage import run_stage
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHAMPION
from sightline.train import inference, stages

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths
    from sightline.registry.judge import Judgement
    from sightline.registry.outcome import Outcome
    from sightline.tracking.runs import Tracker
    from sightline.train.result import Trained

pytestmark = pytest.mark.usefixtures("torch_answers")
LIMITS = Gate()


@dataclass(frozen=True)
class Shop:
    """A project with one trained candidate, not registered yet."""

    paths: Paths
    best: Trained
    evaluated: Evaluated
    """The evaluation of the best: for those that leave the data as they are."""

    @property
    def tracker(self) -> Tracker:
        """The project's MLflow."""
        return connect(self.paths)

    def tags(self) -> dict[str, str]:
        """What the training flow tells of the data as they are now."""
        data, verdict = (dvc_digest(path("target").parent) for path in (self.paths.manifest, self.paths.verdict))
        return {"data.target": data, "validation.target": verdict, "code": "toy"}

    def register(self, other: Trained | None = None, **tags: str) -> str:
        """Register the best, or evaluate and register another, as the training flow does; the version."""
        done = score(self.paths, other) if other else self.evaluated
        run = self.tracker.start("toy", {})
        return promotion.register(self.tracker, run, other or self.best, done, self.tags() | tags).version

    def changed(self, name: str, edit: Any) -> Trained:
        """The candidate with edited weights, in a folder of its own."""
        folder = self.paths.runs / name
        folder.mkdir()
        weights = load_file(self.paths.root / self.best.path / "weights.safetensors")
        edit(weights)
        save_file(weights, folder / "weights.safetensors")
        digest = file_digest(folder / "weights.safetensors")
        return replace(self.best, path=folder.relative_to(self.paths.root).as_posix(), weights=digest)

    def judged(self, version: str, champion: str | None = None) -> Judgement:
        """What the gate says of a version."""
        ledger = open_ledger(self.paths)
        try:
            request = Request(version=version, reason="test", actor="ann")
            return judge.judge(self.tracker, ledger, request, champion, LIMITS, "r1")
        finally:
            ledger.close()

    def promote(self, version: str, *, limits: Gate = LIMITS, **more: Any) -> Outcome:
        """Put a version through the gate."""
        request = Request(version=version, reason="test", actor="ann", **more)
        return promotion.promote(self.tracker, request, limits, "r1")


def blocked(judgement: Judgement, name: str) -> str:
    """The sentence of the check `name`, which is among those that block."""
    assert not judgement.decision.promote
    (one,) = (one for one in judgement.decision.blessings if one.name == name)
    assert one.verdict in {"failed", "missing"}, judgement.decision.sentence
    assert one.sentence in judgement.decision.sentence
    return one.sentence


def sealed_anew(paths: Paths) -> None:
    """Make the shards of the target count as whole after a change by hand: the plants are about what lies behind it."""
    index = paths.shards("target") / "index.json"
    values = stored.unseal(index)
    stored.write(index, values.pop(stored.FILES), **values)


def with_an_image_less(paths: Paths) -> None:
    """Make another release of r1, under its name and whole by itself."""
    path = paths.root / "data" / "releases" / "r1.json"
    values = fixed.read(path)
    first, *images = values["images"]
    rest = {digest: name for digest, name in values["paths"].items() if digest != first}
    fixed.write(path, values | {"images": images, "paths": rest})


def train(paths: Paths, name: str) -> Trained:
    folder = paths.runs / name
    folder.mkdir(parents=True)
    place = stages.Place(paths.root, folder, paths.shards("target"), lambda _: None)
    return stages.scratch(place, "cnn", Recipe(epochs=10, batch_size=32), 0)


def score(paths: Paths, candidate: Trained) -> Evaluated:
    folder = paths.runs / f"evaluation-{candidate.weights[:8]}"
    folder.mkdir(exist_ok=True)
    return evaluate(paths, folder, candidate, paths.params.evaluate)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Ingested, validated, preprocessed, trained and evaluated once."""
    home = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", make_images(home / "images", per_class=80)), patch)
        for stage in ("ingest", "validate", "preprocess"):
            run_stage(paths, stage, "target")
        best = train(paths, "scratch")
        return Shop(paths, best, score(paths, best))


@pytest.fixture
def shop(made: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A copy of it to break."""
    return replace(made, paths=copy_project(made.paths, tmp_path / "toy project", monkeypatch))


def test_sound_candidate_becomes_the_first_champion(shop: Shop) -> None:
    """With nothing wrong every check passes that has something to ask, and only those count; the ledger holds all."""
    outcome = shop.promote(shop.register())
    assert outcome.promoted, outcome.sentence
    row = history(shop.paths)[-1]
    assert row["decision"] == "promoted"
    verdicts = {one["name"]: one["verdict"] for one in row["evidence"]["blessings"]}
    assert {name for name, verdict in verdicts.items() if verdict == "not applicable"} >= {"robustness", "cost"}
    assert set(verdicts.values()) == {"passed", "not applicable"}
    asked = sum(verdict == "passed" for verdict in verdicts.values())
    assert f"all {asked} checks passed, {len(REQUIRED) - asked} had nothing to compare with" in outcome.sentence
    assert row["evidence"]["bound"]["weights"] == shop.best.weights
    # What only tells is not said to hold.
    (data,) = (one["sentence"] for one in row["evidence"]["blessings"] if one["name"] == "data")
    assert data.startswith(f"{tally(Verdict.from_json(shop.paths.verdict('target').read_text()))}; none of its")


@pytest.mark.slow
def test_form_that_answers_is_chosen_before_the_first_request(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate has it made and compared; it is taken as it is, and torch where it is damaged or decides otherwise."""
    monkeypatch.setitem(runtimes.LIBRARIES, "onnx", ("onnx", "onnxruntime"))
    shop.promote(shop.register())
    (found,) = (one for one in history(shop.paths)[-1]["evidence"]["blessings"] if one["name"] == SERVING)
    assert found["figures"]["runtime"] == "ONNX Runtime"
    assert found["figures"]["difference"] <= found["figures"]["allowed"]
    chosen = served(shop.paths)
    assert chosen.graph is not None
    assert (chosen.settled, file_digest(chosen.graph)) == (True, found["figures"]["graph"])
    monkeypatch.setattr(backend, "start", None)
    predictor = answering(shop.paths).predictor
    torchs = predictor._by_torch
    assert predictor.run != torchs
    monkeypatch.setattr(backend, "onnxruntime", lambda _: lambda pixels: [-one for one in torchs(pixels)])
    other = answering(shop.paths).predictor
    assert other.run == other._by_torch
    chosen.graph.write_bytes(chosen.graph.read_bytes()[:-1])
    assert (served(shop.paths).graph, served(shop.paths).settled) == (None, False)


@pytest.mark.slow
def test_no_form_is_made_of_what_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another check speaks against the version: the form is told as not asked, blocks nothing, and nothing goes on."""
    monkeypatch.setitem(runtimes.LIBRARIES, "onnx", ("onnx", "onnxruntime"))
    started: list[backend.Making] = []

    def start(bundle: Path) -> backend.Making:
        started.append(backend.start(bundle))
        return started[-1]

    monkeypatch.setattr(candidate, "start", start)
    version = shop.register()
    connect(shop.paths).client.set_model_version_tag("toy-classifier", version, "weights", "other")
    assert not shop.promote(version).promoted
    (found,) = (one for one in history(shop.paths)[-1]["evidence"]["blessings"] if one["name"] == SERVING)
    assert found["verdict"] == "not applicable"
    assert not (shop.paths.mlflow / "forms").exists()
    (making,) = started
    assert making.process.poll() is not None
    assert not making.file.parent.exists()


def test_duplicate_test_images_in_train_are_blocked(shop: Shop) -> None:
    """A version whose training manifest holds a test image is blocked, with how many there are."""
    path = shop.paths.manifest("target")
    rows = manifest.read(path)
    test, trained = (rows.index[rows["role"] == role] for role in ("test", "train"))
    version = shop.register()
    rows.loc[trained[:3], "sha256"] = rows.loc[test[:3], "sha256"].to_numpy()
    manifest.write(rows, path)
    shop.tracker.tag_version("toy-classifier", version, {"data.target": shop.tags()["data.target"]})
    assert "3 test images stand in the training data too" in blocked(shop.judged(version), "data")


def test_same_pixels_under_another_name_are_blocked(shop: Shop) -> None:
    """A test image that was stored anew is found by its pixels."""
    version = shop.register()
    (test,), (trained,) = (shop.paths.shards("target").glob(f"{role}-?????.npy") for role in ("test", "train"))
    pixels = np.load(trained)
    pixels[:2] = np.load(test)[:2]
    np.save(trained, pixels)
    sealed_anew(shop.paths)
    assert "2 test images have the same pixels" in blocked(shop.judged(version), "data")


def test_failed_validation_is_blocked(shop: Shop) -> None:
    """A version of data that Great Expectations refused is blocked with its sentences."""
    path = shop.paths.verdict("target")
    values = json.loads(path.read_text())
    values["passed"] = False
    values["findings"][0] |= {"passed": False, "sentence": "Too many files are damaged."}
    path.write_text(json.dumps(values))
    assert "Too many files are damaged" in blocked(shop.judged(shop.register()), "data")


def test_flipped_labels_are_blocked(shop: Shop) -> None:
    """A candidate trained on turned labels is shown to be worse than the champion."""
    champion = shop.register()
    assert shop.promote(champion).promoted
    for role in ("train", "val"):
        for path in shop.paths.shards("target").glob(f"{role}-*.labels.npy"):
            np.save(path, (np.load(path) + 1) % 3)
    sealed_anew(shop.paths)
    outcome = shop.promote(shop.register(train(shop.paths, "flipped")))
    assert (outcome.decision, outcome.champion) == ("refused", champion)
    assert f"worse than champion version {champion}" in outcome.sentence
    ledger = open_ledger(shop.paths)
    assert not ledger.comparisons.made("toy-classifier", "r1", champion, "better"), "a refused candidate spends nothing"
    ledger.close()
    assert {one.name for one in outcome.blessings if one.verdict == "passed"} >= {"integrity", "data", "cost"}


def test_nan_is_blocked(shop: Shop) -> None:
    """A model that answers with NaN is blocked for that reason, by whatever form its weights took."""

    def spoil(weights: dict[str, torch.Tensor]) -> None:
        weights[list(weights)[-1]][:] = float("nan")

    bad = shop.changed("spoilt", spoil)
    version = shop.register()
    model = shop.tracker.download("toy-classifier", version)
    shutil.copyfile(shop.paths.root / bad.path / "weights.safetensors", model / "weights.safetensors")
    card = json.loads((model / "bundle.json").read_text()) | {"weights": bad.weights}
    (model / "bundle.json").write_text(json.dumps(card))
    tags = {"weights": bad.weights, "bundle": tree_digest(model), "seals": json.dumps(seals(model.parents[1]))}
    shop.tracker.tag_version("toy-classifier", version, tags)
    assert "NaN" in blocked(shop.judged(version), "integrity")


def test_tampered_weights_are_blocked(shop: Shop) -> None:
    """Weights changed in the store are blocked, even where the digest beside them was changed too."""
    version = shop.register()
    model = shop.tracker.download("toy-classifier", version)

    def nudge(weights: dict[str, torch.Tensor]) -> None:
        weights[list(weights)[-1]][0] += 1e-7

    other = shop.changed("nudged", nudge)
    shutil.copyfile(shop.paths.root / other.path / "weights.safetensors", model / "weights.safetensors")
    assert "was changed since it was registered" in blocked(shop.judged(version), "integrity")
    card = json.loads((model / "bundle.json").read_text()) | {"weights": other.weights}
    (model / "bundle.json").write_text(json.dumps(card))
    assert "was changed since it was registered" in blocked(shop.judged(version), "integrity")


def test_card_changed_in_the_store_is_blocked(shop: Shop) -> None:
    """Classes in another order are another model, with the same weights."""
    version = shop.register()
    card = shop.tracker.download("toy-classifier", version) / "bundle.json"
    values = json.loads(card.read_text())
    card.write_text(json.dumps(values | {"classes": values["classes"][::-1]}))
    assert "was changed since it was registered" in blocked(shop.judged(version), "integrity")


@pytest.mark.slow
def test_deleted_champion_is_still_the_one_to_beat(shop: Shop) -> None:
    """The project's own copy answers for a champion that MLflow lost; where that is lost too, nothing is promoted."""
    champion = shop.register()
    assert shop.promote(champion).promoted
    for role in ("train", "val"):
        for path in shop.paths.shards("target").glob(f"{role}-*.labels.npy"):
            np.save(path, (np.load(path) + 1) % 3)
    sealed_anew(shop.paths)
    worse = shop.register(train(shop.paths, "flipped"))
    shop.tracker.client.delete_model_version("toy-classifier", champion)
    outcome = shop.promote(worse)
    assert f"worse than champion version {champion}" in outcome.sentence
    assert "MLflow has none" in outcome.messages[0]
    shutil.rmtree(shop.paths.mlflow / "bundles")
    outcome = shop.promote(worse)
    assert "cannot answer" in outcome.messages[-1]
    assert not outcome.promoted


@pytest.mark.slow
def test_worse_version_with_the_champions_number_does_not_become_champion(shop: Shop) -> None:
    """The registered model deleted and a worse one registered as version 1: what answers is the champion of before."""
    champion = shop.register()
    assert shop.promote(champion).promoted
    before = served(shop.paths)

    def spoil(weights: dict[str, torch.Tensor]) -> None:
        weights[list(weights)[-1]][:] = 0

    worse = shop.changed("worse", spoil)
    shop.tracker.client.delete_registered_model("toy-classifier")
    assert shop.register(worse) == champion
    outcome = shop.promote(champion)
    assert outcome.decision == "refused"
    assert "another bundle" in outcome.sentence
    assert shop.tracker.aliased("toy-classifier", "champion") is None
    assert served(shop.paths) == before


def with_code_of_another_release(tracker: Tracker, version: str) -> None:
    """Let a version hold code that is not ours, as whoever registered it recorded that."""
    folder = tracker.files(tracker.classifier_model, version)
    with (folder / "code" / "sightline" / "words.py").open("a") as code:
        code.write("OTHER = True\n")
    tracker.tag_version(tracker.classifier_model, version, {"seals": json.dumps(seals(folder))})


@pytest.mark.slow
def test_version_of_another_release_that_nobody_judged_is_registered_anew(shop: Shop) -> None:
    """Between registration and judgement Sightline changed: the next run finds no version; judged ones stay."""
    first = shop.register()
    with_code_of_another_release(shop.tracker, first)
    assert "is not the code of" in blocked(shop.judged(first), "integrity")
    second = shop.register()
    assert second != first
    assert shop.register() == second
    outcome = shop.promote(second)
    assert outcome.promoted, outcome.sentence
    with_code_of_another_release(shop.tracker, second)
    assert shop.register() == second


@pytest.mark.slow
def test_preprocessing_shifted_by_one_pixel_is_blocked(shop: Shop) -> None:
    """Where the training images lie one pixel beside those that serving makes, the golden answers differ."""
    (path,) = shop.paths.shards("target").glob("val-?????.npy")
    np.save(path, np.roll(np.load(path), 1, axis=2))
    sealed_anew(shop.paths)
    assert "differently from the training form" in blocked(shop.judged(shop.register(shop.best)), "integrity")


def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let convolutions of this process round their factors to ten bits as cuDNN does, unless that is switched off."""
    convolve = functional.conv2d

    def rounded(values: torch.Tensor) -> torch.Tensor:
        bits = values.contiguous().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    def convolved(images: torch.Tensor, weight: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        if torch.backends.cudnn.conv.fp32_precision == "tf32":  # type: ignore[attr-defined]
            images, weight = rounded(images), rounded(weight)
        return convolve(images, weight, *rest, **more)

    monkeypatch.setattr(functional, "conv2d", convolved)


@pytest.mark.parametrize("switched", [True, False])
def test_golden_answers_are_computed_in_float32(shop: Shop, monkeypatch: pytest.MonkeyPatch, switched: bool) -> None:  # noqa: FBT001
    """Where convolutions are in TF32 otherwise a version passes; without the switch it is told from one in float32."""
    as_on_a_gpu(monkeypatch)
    if not switched:
        monkeypatch.setattr(inference, "exactly", nullcontext)
    trouble = start_trial(shop.tracker.download("toy-classifier", shop.register(shop.best))).trouble()
    if switched:
        assert trouble is None
    else:
        assert "differently from the training form" in str(trouble)
        assert "rounding explains" in str(trouble)


@pytest.mark.slow
def test_stale_test_release_is_blocked(shop: Shop) -> None:
    """A release whose images were changed under its name is refused, whatever the candidate answers."""
    version = shop.register()
    shop.judged(version)
    with_an_image_less(shop.paths)
    assert "test release r1 is stale" in blocked(shop.judged(version), "overall")


def test_class_without_test_images_is_a_missing_slice(shop: Shop) -> None:
    """A class that the model may answer and that the release never asks for blocks, and is named."""
    path = shop.paths.manifest("target")
    rows = manifest.read(path)
    version = shop.register()
    (shop.paths.root / "data" / "releases" / "r1.json").unlink()
    rows.loc[(rows["role"] == "test") & (rows["label"] == "green"), "status"] = manifest.QUARANTINED
    manifest.write(rows, path)
    assert "no test image for label=green" in blocked(shop.judged(version), "slices")


@pytest.mark.slow
def test_check_left_out_of_a_run_is_blocked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that was made to skip a check refuses everything, and says which one."""
    monkeypatch.delitem(judge.CHECKS, "robustness")
    assert "did not run" in blocked(shop.judged(shop.register()), "robustness")


def test_no_parameter_switches_a_check_off(shop: Shop) -> None:
    """There is no such value in params.yaml, and --set cannot make one."""
    for name in ("robustness", "slices", "integrity", "required"):
        with pytest.raises(ConfigError, match="no such parameter"):
            load(shop.paths.root, {f"gate.{name}": False})


def test_check_that_raises_blocks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in a check is its reason; the others still answer."""

    def explode(_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(judge.CHECKS, "cost", explode)
    judgement = shop.judged(shop.register())
    assert blocked(judgement, "cost") == "the check did not run: planted"
    assert all(
        one.verdict in {"passed", "not applicable"} for one in judgement.decision.blessings if one.name != "cost"
    )


@pytest.mark.slow
def test_override_promotes_and_is_recorded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person may set a failed check aside: the sentence and the ledger say so. An unknown name is refused."""

    def explode(_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(judge.CHECKS, "cost", explode)
    version = shop.register()
    with pytest.raises(RegistryError, match="there is no such check"):
        shop.promote(version, override=("costs",))
    outcome = shop.promote(version, override=("cost",))
    assert outcome.promoted
    assert "OVERRIDDEN cost" in outcome.sentence
    assert history(shop.paths)[-1]["evidence"]["overridden"] == ["cost"]


@pytest.mark.slow
def test_other_decisions_of_the_champions_network_are_a_persons_choice(shop: Shop) -> None:
    """They are never better; by the rule no_worse the version that wants another accuracy is promoted, once."""
    assert shop.promote(shop.register()).promoted
    folder = shop.paths.runs / "evaluation-again"
    folder.mkdir()
    done = evaluate(shop.paths, folder, shop.best, replace(shop.paths.params.evaluate, wanted_accuracy=0.8))
    assert done.bundle != shop.evaluated.bundle
    again = replace(shop, evaluated=done)
    version = again.register()
    refused = again.promote(version)
    assert not refused.promoted
    assert "the network of champion version 1 with other decisions; if meant, promote it" in refused.sentence
    assert again.promote(version, rule="no_worse").promoted
    assert history(shop.paths)[-1]["version"] == version


def test_lost_files_are_blocked(shop: Shop) -> None:
    """A version whose files are gone is blocked with that reason, told once."""
    version = shop.register()
    shutil.rmtree(shop.paths.mlflow / "artifacts")
    judgement = shop.judged(version)
    assert "cannot be fetched" in blocked(judgement, "integrity")


def lacking(shop: Shop) -> str:
    """A second version of which the gate said that the images are too few to tell it from the first, the champion."""
    champion = shop.register()
    assert shop.promote(champion).promoted

    def nudge(weights: dict[str, torch.Tensor]) -> None:
        weights[list(weights)[-1]][0] += 1e-6

    version = shop.register(shop.changed("nudged", nudge))
    judgement = shop.judged(version, champion)
    decision = replace(judgement.decision, verdict="insufficient")
    ledger = open_ledger(shop.paths)
    asked = Request(version=version, reason="test", actor="ann")
    lacks = replace(judgement, decision=decision)
    assert record(shop.tracker, ledger, asked, lacks, approval=False).decision == "insufficient"
    ledger.close()
    return version


@pytest.mark.slow
def test_person_may_take_a_version_that_lacks_images(shop: Shop) -> None:
    """With a reason it becomes champion on the evidence of before, and the ledger tells who took it and why."""
    version = lacking(shop)
    with pytest.raises(RegistryError, match=r"version 1 does not wait for a person: it is promoted"):
        promotion.approve(shop.tracker, "1", "bob", "looks right")
    outcome = promotion.approve(shop.tracker, version, "bob", "looks right")
    assert (outcome.promoted, outcome.champion) == (True, version)
    last = history(shop.paths)[-1]
    assert (last["actor"], last["champion_before"]) == ("bob", "1")
    assert "looks right" in last["reason"]
    assert last["evidence"]["approved"]["by"] == "bob"


@pytest.mark.slow
def test_alias_set_by_hand_waits_for_a_person_where_promotions_do(shop: Shop) -> None:
    """As does what was asked for in words; the ledger then says who approved it and why, and no more that it waits."""

    def forget(weights: dict[str, torch.Tensor]) -> None:
        for one in weights.values():
            one.zero_()

    limits, model = replace(LIMITS, approval=True), shop.tracker.classifier_model
    poor, good = shop.register(shop.changed("forgetful", forget)), shop.register()
    shop.promote(poor, override=REQUIRED)
    shop.tracker.set_alias(model, CHAMPION, good)
    outcome = shop.promote(poor, limits=limits)
    assert (outcome.decision, outcome.champion) == ("unchanged", poor)
    assert f"to version {good}: set back until somebody approves it" in outcome.messages[0]
    by_hand = history(shop.paths)[-2]
    assert (by_hand["version"], by_hand["decision"], by_hand["actor"]) == (good, "waiting", "MLflow's page")
    assert promotion.champion(shop.tracker) == poor
    assert promotion.approve(shop.tracker, good, "bob", "seen").champion == good
    last = history(shop.paths)[-1]
    assert (last["reason"], last["evidence"]["verdict"]) == ("approved by bob: seen", "passed")
    assert last["evidence"]["sentence"] in by_hand["reason"]
    assert shop.tracker.version(model, good).tags["gate"] == "approved by bob: seen"


def test_nothing_is_judged_before_the_shards_are_of_the_present_data(shop: Shop) -> None:
    """Between new labels and the next run a version is not refused for that, whoever asks, nor the alias set back."""
    version = shop.register()
    rows = manifest.read(shop.paths.manifest("target"))
    tested = rows.index[(rows["status"] == manifest.OK) & (rows["role"] == "test")][0]
    rows.loc[tested, "label"] = next(one for one in manifest.classes(rows) if one != rows.loc[tested, "label"])
    manifest.write(rows, shop.paths.manifest("target"))
    for alias in (None, version):
        shop.tracker.set_alias(shop.tracker.classifier_model, CHAMPION, alias)
        with pytest.raises(DataError, match="the test shards have not yet: run `sightline run` first"):
            shop.promote(version)
    assert history(shop.paths) == []


@pytest.mark.slow
def test_what_has_changed_since_is_not_taken(shop: Shop) -> None:
    """A person who looked at another version, or at other test images, approves nothing."""
    version = lacking(shop)
    shop.tracker.tag_version(shop.tracker.classifier_model, version, {"bundle": "another"})
    with pytest.raises(Stale, match="no longer the one that was judged"):
        promotion.approve(shop.tracker, version, "bob", "looks right")
    with_an_image_less(shop.paths)
    with pytest.raises(Stale, match="has changed since version 2 was judged"):
        promotion.approve(shop.tracker, version, "bob", "looks right")


@pytest.mark.slow
def test_backbone_that_saw_a_test_image_is_blocked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version whose source held a test image is blocked with both paths; a source that cannot be found blocks too."""
    version = shop.register(None, **{"data.source": "gone.dir"})
    assert "did not run" in blocked(shop.judged(version), "data")
    one = Leak("glyph.png", "red/0001.png", "test", Learned("source", "gone.dir", None), "")
    monkeypatch.setattr(leaks, "leaks", lambda _, past: ([one], past))
    said = blocked(shop.judged(version), "data")
    assert "1 test images of the target" in said
    assert "red/0001.png = source glyph.png" in said


@pytest.mark.slow
def test_weights_that_a_backbone_began_with_are_asked_too(shop: Shop) -> None:
    """What registered weights learned from must be found; of others it is told that nothing is known."""
    folder = shop.paths.root / shop.best.path
    number = shop.tracker.register_backbone(shop.tracker.start("toy", {}), folder, {"data.source": "gone.dir"})
    version = shop.register(None, **{INIT: f"registry:{shop.tracker.backbone_model}/{number}"})
    assert "did not run" in blocked(shop.judged(version), "data")
    shop.tracker.tag_version(shop.tracker.classifier_model, version, {INIT: "ResNet18_Weights.DEFAULT"})
    judged = shop.judged(version)
    assert judged.decision.promote, judged.decision.sentence
    (data,) = (one for one in judged.decision.blessings if one.name == "data")
    assert data.sentence.endswith("what ResNet18_Weights.DEFAULT learned from is not known")
