"""`params.yaml`: names, types and ranges are checked, comments survive."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sightline import config
from sightline.errors import ConfigError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("pretrain.epoch=3", "pretrain.epoch = 3: no such parameter (did you mean epochs?)"),
        ("pretrain.epochs=many", "pretrain.recipe.epochs = 'many': Input should be a valid integer"),
        ("pretrain.epochs=0", "epochs = 0 is outside 1"),
        ("preprocess.size=4", "size = 4 is outside 8"),
        ("training.epochs=3", "training.epochs: there is no such section"),
        ("transfer.penalties=[]", "transfer: penalties = []: give one or more, each above 0"),
        ("transfer.penalties=[0.1, -1.0]", "penalties = [0.1, -1.0]: give one or more, each above 0"),
        ("project.seed=-1", "seed = -1 is outside 0 … 9223372036854775807"),
        ("project.seed=12345678901234567890123", "is outside 0 … 9223372036854775807"),
        ("finetune.scratch.size=1", "size = 1: give 0 for the size as stored, or 8 … 1024 pixels"),
        ("datasets.target.roles.test=0.5", "must sum to 1"),
        ("datasets.target.train_per_class=0", "must be at least 1"),
        ("project.name=a/b", "must not be empty, begin with"),
        ("evaluate.release=../../x", "evaluate: release = '../../x' becomes part of paths"),
        ("evaluate.release=2024-01-01/x", "becomes part of paths"),
        ("project.name=other", "cannot be set for one run"),
        ("project.preset=[fast]", "has fast, balanced, best, resnet"),
        ("pretrain.recipe=5", "pretrain.recipe = 5: Input should be an object"),
        ("validate.blank=.inf", "validate.blank = inf: Input should be a finite number"),
        ("validate.baseline.loss=2", "validate.baseline: loss = 2 is no share between 0 and 1"),
        ("validate.baseline.shift=-0.1", "shift = -0.1 is no share between 0 and 1"),
        ("validate.baseline.new_classes=-1", "new_classes = -1 must be at least 0"),
        ("validate.shortcut=95", "validate: shortcut = 95 is no share between 0 and 1"),
        ("validate.ungrouped=-1", "ungrouped = -1 is no share between 0 and 1"),
        ("validate.large_group=5", "large_group = 5 is no share between 0 and 1"),
        ("validate.blank=-1", "blank = -1 is outside 0 … 1: grey levels from black to white"),
        ("validate.dark=26", "dark = 26 is outside 0 … 1: grey levels"),
        ("validate.bright=204", "bright = 204 is outside 0 … 1: grey levels"),
        ("retrain.new_labels=0", "retrain.new_labels = 0 must be above 0 and at most 10, a share of the images"),
        ("retrain.chance=1", "retrain.chance = 1 must be at least 0 and below 1"),
        ("monitor.alpha=0", "monitor.alpha = 0 must be above 0 and at most 0.1, the chance of a false alarm"),
        ("gate.margin=0", "margin = 0 must be above 0 and at most 0.05, the share of images that may be lost"),
        ("evaluate.wanted_accuracy=1", "wanted_accuracy = 1 must be at least 0.5 and below 1"),
        ("validate.blurred=-0.5", "blurred = -0.5 must be at least 0"),
        ("validate.odd_size=0.25", "odd_size = 0.25 must be at least 1"),
        ("validate.imbalance=0", "imbalance = 0 must be at least 1"),
        ("datasets.other.images=x", "datasets.other.images: there is no such section in datasets of params.yaml"),
        (
            "presets.fast.scrach.epochs=3",
            "section in presets.fast of params.yaml (did you mean scratch?); its sections",
        ),
        ("pretrain.epochs.few=3", "there is no such section in pretrain of params.yaml"),
        ("pretrain.flip=yes", "pretrain.recipe.flip = 'yes': give true or false"),
        (
            "presets.fast.scratch.epochs=3",
            "changes nothing, because project.preset is null: give --set project.preset=fast too",
        ),
    ],
)
def test_bad_value_is_named_with_its_key(project: Path, setting: str, words: str) -> None:
    """A wrong name, type or range gives the key, the value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        config.load(project, dict([config.parse_setting(setting)]))
    assert words in str(caught.value)


def test_momentum_of_adamw_is_below_1(project: Path) -> None:
    """What the optimiser would refuse in the middle of a run is refused before."""
    sgd = {"finetune.scratch.momentum": 1}
    assert config.load(project, sgd).finetune.scratch.momentum == 1
    with pytest.raises(ConfigError, match="momentum = 1 must be below 1 with adamw"):
        config.load(project, {**sgd, "finetune.scratch.optimiser": "adamw"})


@pytest.mark.parametrize("text", ["epochs=3", "pretrain.epochs", "=3"])
def test_setting_of_another_form_is_refused(text: str) -> None:
    """What is no section.key=value is told with an example."""
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        config.parse_setting(text)


def test_a_list_or_a_date_for_a_section_is_told(project: Path) -> None:
    """None is taken for a section, and none ends in anything but one of our errors."""
    whole = config.read(project)
    for section in whole:
        for other in ("[1, 2]", "2024-01-01"):
            # JSON is YAML.
            text = json.dumps({**whole, section: "OTHER"}).replace('"OTHER"', other)
            (project / "params.yaml").write_text(text)
            with pytest.raises(ConfigError) if section != "presets" else suppress(ConfigError):
                config.load(project, {"pretrain.epochs": 3, "gate.alpha": 0.01, "project.preset": "fast"})


@pytest.mark.parametrize(
    ("coding", "words"),
    [("cp1252", "not UTF-8 text"), ("utf-16", "not UTF-8 text"), ("utf-16-le", "not UTF-8 text")],
)
def test_a_file_in_another_coding_is_told(project: Path, coding: str, words: str) -> None:
    """What an editor of another system saved is named, with the remedy."""
    text = (project / "params.yaml").read_text().replace("# Every value", "# Größe: every value")
    (project / "params.yaml").write_bytes(text.replace("…", "...").replace("¾", "").encode(coding, "replace"))
    for ask in (lambda: config.load(project), lambda: config.write_value(project, "gate.alpha", 0.01)):
        with pytest.raises(ConfigError, match=words) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_line_ends_and_a_byte_order_mark_do_not_matter(project: Path) -> None:
    """A file from another system says the same, and can be changed."""
    before = config.load(project)
    data = (project / "params.yaml").read_bytes()
    (project / "params.yaml").write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert config.load(project) == before
    config.write_value(project, "preprocess.size", 48)
    assert config.load(project).preprocess.size == 48


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("presets: {fast: {pretrian: {epochs: 4}}}", "presets.fast.pretrian"),
        ("presets: {fast: {1: {epochs: 4}}}", "the key 1 is no text"),
        ("presets: {fast: [pretrain]}", "presets.fast = "),
        ("presets: [fast]", "has no presets"),
        ("presets: {fast: {pretrain: 2024-01-01}}", "presets.fast.pretrain = "),
    ],
)
def test_a_mistyped_preset_is_told(project: Path, text: str, words: str) -> None:
    """Its stage is named, whatever stands there."""
    lines = (project / "params.yaml").read_text()
    head, tail = lines.split("presets:  ", 1)
    (project / "params.yaml").write_text(f"{head}{text}\n\ntrain:\n" + tail.split("\ntrain:\n", 1)[1])
    with pytest.raises(ConfigError) as caught:
        config.load(project, {"project.preset": "fast"})
    assert words in str(caught.value)


def test_setting_reads_numbers_as_yaml_does() -> None:
    """Numbers, null and lists arrive as such, also in scientific notation."""
    values = [config.parse_setting(f"a.b={text}")[1] for text in ("3", "1e-3", "null", "[1, 2]", "resnet18")]
    assert values == [3, 0.001, None, [1, 2], "resnet18"]


def test_recipe_may_be_left_out_of_a_key(project: Path) -> None:
    """pretrain.epochs means pretrain.recipe.epochs, whether the file's recipe holds such a value or not."""
    assert config.load(project, {"pretrain.epochs": 7}).pretrain.recipe.epochs == 7
    edit(project, lambda values: values["pretrain"]["recipe"].pop("rotate"))
    assert config.load(project, {"pretrain.rotate": 10}).pretrain.recipe.rotate == 10


@pytest.mark.parametrize("recipe", ["null", "3", "fast", "[1]"])
def test_recipe_that_is_no_section_is_told(project: Path, recipe: str) -> None:
    """Also where a value of it is given by its short name."""
    setting = config.parse_setting(f"pretrain.recipe={recipe}")
    with pytest.raises(ConfigError, match="recipe"):
        config.load(project, dict([setting, ("pretrain.epochs", 3)]))


def test_written_value_keeps_the_comments(project: Path) -> None:
    """Changing the file changes one line."""
    before = (project / "params.yaml").read_text().splitlines()
    config.write_value(project, "preprocess.size", 48)
    after = (project / "params.yaml").read_text().splitlines()
    assert [line for line in after if "48" in line] == ["  size: 48"]
    assert sum(line.count("#") for line in after) == sum(line.count("#") for line in before)


def test_no_project_is_told(tmp_path: Path) -> None:
    """Outside of a project the remedy is named."""
    with pytest.raises(ProjectError, match="sightline init"):
        config.find_root(tmp_path)


def test_broken_yaml_is_told(project: Path) -> None:
    """A file that is no YAML gives its name and place."""
    (project / "params.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match=r"params\.yaml is not valid YAML: .* in line 2$"):
        config.load(project)


def edit(project: Path, change: Callable[[Any], None]) -> None:
    config.change(project / "params.yaml", project / "params.yaml", change)


def test_preset_of_a_run_comes_before_the_recipes(project: Path) -> None:
    """`--set project.preset` does what it says where recipes hold values; what else is set comes before it."""
    params = config.load(project, {"finetune.scratch.min_steps": 7, "project.preset": "fast"})
    assert (params.pretrain.recipe.epochs, params.pretrain.recipe.flip) == (4, False)
    assert (params.finetune.scratch.learning_rate, params.finetune.scratch.min_steps) == (0.3, 7)


def test_written_preset_fills_the_recipes(project: Path) -> None:
    """A value that the preset does not hold, or holds as well, may stand in a recipe."""
    edit(project, lambda values: values["project"].update(preset="fast"))
    edit(project, lambda values: values["pretrain"].update(recipe=None))
    edit(project, lambda values: values["finetune"].update(recipe={"crop": 0.2, "epochs": 5}, scratch={}))
    params = config.load(project)
    assert (params.finetune.recipe.epochs, params.finetune.recipe.crop, params.pretrain.recipe.epochs) == (5, 0.2, 4)


def test_preset_that_recipes_contradict_is_told(project: Path) -> None:
    """Where preset and recipes are written with other values, each of them is named."""
    edit(project, lambda values: values["project"].update(preset="fast"))
    with pytest.raises(
        ConfigError, match=r"'fast'.*pretrain\.recipe\.epochs = 5, .*scratch\.learning_rate = 0\.1: take"
    ):
        config.load(project)


def test_preset_may_be_changed_for_a_run(project: Path) -> None:
    """--set reaches into the presets, too."""
    given = {"project.preset": "fast", "presets.fast.finetune.epochs": 9}
    assert config.load(project, given).finetune.recipe.epochs == 9


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "pretrian",
            {"epochs": 4},
            r"^presets\.fast\.pretrian = .* values for pretrain, finetune, scratch, no others$",
        ),
        ("pretrain", {"epohcs": 4}, r"^presets\.fast\.pretrain\.epohcs = 4: no such parameter \(did you mean epochs\?"),
        ("finetune", {"clip": "1"}, r"^presets\.fast\.finetune\.clip = '1': Input should be a valid number$"),
        ("scratch", {"epochs": 0}, r"^presets\.fast\.scratch: epochs = 0 is outside 1 … 100000$"),
    ],
)
@pytest.mark.parametrize("chosen", ["balanced", None])
def test_preset_that_is_not_chosen_is_checked(
    project: Path, key: str, value: object, words: str, chosen: str | None
) -> None:
    """Whoever wrote it hears at once, and not on the day that takes it."""
    edit(project, lambda values: values["project"].update(preset=chosen))
    edit(project, lambda values: values["presets"]["fast"].update({key: value}))
    with pytest.raises(ConfigError, match=words):
        config.load(project)


@pytest.mark.parametrize("preset", [3, {"transfer": {"epochs": 1}}, {"pretrain": 3}])
def test_broken_preset_is_told(project: Path, preset: object) -> None:
    """A preset that holds anything but recipes is named."""
    edit(project, lambda values: values.update(presets={"mine": preset}))
    with pytest.raises(ConfigError, match=r"presets\.mine.*values for pretrain, finetune, scratch, no others"):
        config.load(project, {"project.preset": "mine"})


@pytest.mark.parametrize("name", ["fast", "balanced", "best", "resnet"])
def test_every_preset_fits(project: Path, name: str) -> None:
    """The presets of the template hold values that recipes take."""
    assert config.load(project, {"project.preset": name}).project.preset == name


@pytest.fixture
def fresh(project: Path) -> Path:
    """The project as `init` writes it for images of one's own: its recipes stand in the preset."""
    edit(project, lambda values: values["project"].update(preset="balanced"))
    edit(project, lambda values: values["pretrain"].update(recipe={"flip": True}))
    edit(project, lambda values: values["finetune"].update(recipe={"flip": True}, scratch={"flip": True}))
    return project


def test_what_a_preset_that_is_taken_away_held_is_told(fresh: Path) -> None:
    """The recipes of a fresh project stand in its preset: without it the file lacks them, and the preset shows them."""
    edit(fresh, lambda values: values["project"].update(preset=None))
    words = "recipe.epochs: missing; without a preset params.yaml must hold it; presets.fast.pretrain has 4"
    with pytest.raises(ConfigError) as told:
        config.load(fresh)
    assert words in str(told.value)
    assert "finetune.recipe.epochs: missing; without a preset" in str(told.value)
    assert "sightline init" not in str(told.value)


def test_null_for_one_run_leaves_what_the_preset_gave(fresh: Path) -> None:
    """It is the same training; a value of a recipe that contradicts the preset counts then, and is no mistake."""
    before, given = config.load(fresh), {"project.preset": None}
    found = config.load(fresh, given)
    assert (found.project.preset, found.pretrain, found.finetune) == (None, before.pretrain, before.finetune)
    edit(fresh, lambda values: values["finetune"]["recipe"].update(epochs=3))
    assert config.load(fresh, given).finetune.recipe.epochs == 3
    edit(fresh, lambda values: values["project"].update(preset="quick"))
    with pytest.raises(ConfigError, match="without a preset"):
        config.load(fresh, given)


@pytest.mark.parametrize(
    "given",
    [
        {"finetune.recipe.epochs": 3},
        {"finetune.epochs": 3},
        {"pretrain.rotate": 5},
        {"finetune.recipe": {"epochs": 15}},
        {"project.preset": None},
        {"project.preset": "best"},
        {"project.preset": "best", "finetune.scratch.epochs": 3},
        {"project.preset": "fast", "presets.fast.finetune.epochs": 9},
        {"project.preset": None, "presets.balanced.finetune.epochs": 9, "pretrain.recipe.epochs": 3},
        {"pretrain.network": "resnet18", "finetune.scratch.learning_rate": 0.2, "finetune.recipe.clip": 0.0},
    ],
)
@pytest.mark.parametrize("recipe", [{"flip": True}, None])
def test_saved_values_mean_what_they_meant_for_the_run(
    fresh: Path, given: dict[str, Any], recipe: dict[str, Any] | None
) -> None:
    """The next command, which is given nothing, trains the same; comments and order stay, and so does a preset."""
    edit(fresh, lambda values: values["pretrain"].update(recipe=recipe))
    asked, before = config.load(fresh, given), (fresh / "params.yaml").read_text().splitlines()
    moved = config.save(fresh, given)
    found = config.load(fresh)
    assert replace(found, project=asked.project) == asked
    assert found.project.preset == (None if moved else asked.project.preset)
    after = (fresh / "params.yaml").read_text().splitlines()
    assert sum(line.count("#") for line in after) == sum(line.count("#") for line in before)
    assert [line for line in after if re.match(r"\w", line)] == [line for line in before if re.match(r"\w", line)]


def test_saved_preset_comes_before_the_recipes(project: Path) -> None:
    """Where they hold other values, its own are written over them, beside their comments."""
    asked, comments = config.load(project, {"project.preset": "best"}), (project / "params.yaml").read_text().count("#")
    assert config.save(project, {"project.preset": "best"}) == "best"
    found = config.load(project)
    assert (found.pretrain, found.finetune, found.project.preset) == (asked.pretrain, asked.finetune, None)
    assert (project / "params.yaml").read_text().count("#") == comments


def test_preset_that_nothing_contradicts_stays(fresh: Path) -> None:
    """Values that it does not hold stand beside it, another one in its place."""
    assert config.save(fresh, {"pretrain.rotate": 5, "preprocess.size": 48, "project.preset": "best"}) is None
    assert config.load(fresh).project.preset == "best"


def test_what_could_not_be_loaded_is_not_saved(fresh: Path) -> None:
    """The file is as it was."""
    before = (fresh / "params.yaml").read_text()
    for given in ({"finetune.scratch.epochs": 0}, {"finetune.recipe": {"flip": True}}, {"gate.alhpa": 0.01}):
        with pytest.raises(ConfigError, match=r"epochs|alhpa"):
            config.save(fresh, given)
    assert (fresh / "params.yaml").read_text() == before
    assert [path.name for path in fresh.iterdir()] == ["params.yaml"]


def test_unknown_preset_is_told(project: Path) -> None:
    """A preset that is not there is named beside those that are."""
    with pytest.raises(ConfigError, match=r"'quick'.*fast, balanced, best, resnet"):
        config.load(project, {"project.preset": "quick"})


def test_project_of_an_earlier_release_loads(project: Path) -> None:
    """A params.yaml without later sections has their defaults, and `--set` finds them all the same."""

    def as_before(values: Any) -> None:
        del values["train"], values["capture"]
        del values["datasets"]["target"]["group"], values["validate"]["baseline"]

    edit(project, as_before)
    assert config.load(project).train.workers == 1
    assert config.load(project).capture.keep == "figures"
    given = {
        "capture.keep": "none",
        "train.workers": 2,
        "datasets.target.group.burst": 3.0,
        "validate.baseline.shift": 0.5,
    }
    params = config.load(project, given)
    assert (params.train.workers, params.datasets["target"].group.burst) == (2, 3.0)
    assert (params.validate.baseline.shift, params.capture.keep) == (0.5, "none")


@pytest.mark.parametrize(
    ("key", "value"), [("keep", "all"), ("days", 0), ("share", 0.0), ("share", 1.1), ("folder", " ")]
)
def test_what_cannot_be_recorded_is_no_value(project: Path, key: str, value: Any) -> None:
    """What is meant by 0 days or no share has a word of its own."""
    with pytest.raises(ConfigError, match=rf"capture(\.{key})?"):
        config.load(project, {f"capture.{key}": value})


def test_name_written_as_a_date_is_text(project: Path) -> None:
    """YAML reads 2024-01-01 as a date, which is a name here."""
    edit(project, lambda values: values["project"].update(name=date(2024, 1, 1)))
    assert config.load(project).project.name == "2024-01-01"


def test_limits_stand_last_and_comments_claim_no_accuracy() -> None:
    """What a user tunes comes first in the template, and no accuracy stands in it that no command reproduces."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert list(config.read(ROOT))[-2:] == ["ingest", "validate"]
    assert not re.search(r"#.*: \.\d\d", text)
