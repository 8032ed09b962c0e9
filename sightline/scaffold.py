"""`sightline init`: a project folder around images, under git and DVC."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import config
from sightline.data import embedded
from sightline.data.annotations import arriving, tells_boxes
from sightline.data.sources import arrival, copying, label_sets, packed, published, scan
from sightline.data.versions import repository
from sightline.data.versions.external import EXTERNAL
from sightline.errors import DataError, ProjectError
from sightline.heads.labels import CLASSIFY, DETECT, LABELS, MULTILABEL
from sightline.models import at_hand, shipped
from sightline.names import plain
from sightline.project import check_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


EMBEDDED = "embedded:"
FILES = ("dvc.yaml", "prefect.yaml")
PREFECT = """\
# Prefect's own commands in this folder: their server shows the runs of `sightline run`, and reports nothing home.
[server]
analytics_enabled = false

[server.api]
# Longer than clients keep a connection (25): else each stage after a pause waits two seconds.
keepalive_timeout = 60

[server.database]
connection_url = "sqlite+aiosqlite:///.prefect/prefect.db"
"""
IGNORED = """\
/.prefect/*
!/.prefect/.gitkeep
/runs/
/reports/
/mlflow/
/captured/
/monitor/
/.dvc/site/
/data/cache/
/data/docs/
/data/external/
/data/code.yaml
/data/manifests/
/data/shards/
/data/validation/
"""
OWN_IMAGES: dict[str, Any] = {
    "datasets.target.train_per_class": None,
    "preprocess.size": 64,
    "project.preset": "balanced",
    "pretrain.recipe": {"flip": True},
    "finetune.recipe": {"flip": True},
    "finetune.scratch": {"flip": True},
}
"""Where the values for images of one's own differ from those of the demonstration."""
BOXES: dict[str, Any] = {
    "preprocess.size": 256,
    "project.preset": "boxes",
    "validate.min_images_per_class": 1,
}
"""And where these have boxes: a small object must still be seen, and recipes for classifiers find none."""
SHIPPED = "comes with Sightline, learned from no photograph, for few labels; null: without"
OWN = f"out of {at_hand.VARIABLE}; null: without"


def template(name: str) -> Path:
    """A file of the project template: inside the package when installed, at the root of a checkout."""
    package = Path(__file__).parent
    inside = package / "template" / name
    return inside if inside.is_file() else package.parent / name


def init(
    folder: Path,
    images: str,
    source: str | None,
    name: str | None,
    notify: Callable[[str], None],
    *,
    external: bool = False,
    download: bool = False,
) -> None:
    """Make a project at `folder` around `images`: a folder, table or archive, `embedded:NAME` or `torchvision:NAME`.

    `source` likewise. Nothing of the user's images is changed: they are copied (cloned where the file system can), or
    stay where they are if `external`. torchvision's sets are fetched only if `download`. `notify` receives a line per
    step. Raises ProjectError where the folder holds a project already, DataError where there are no images; nothing is
    left of the project then.
    """
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file: name a folder for the project; images of yours come after --images")
    if (folder / config.PARAMS).exists():
        raise ProjectError(f"{folder} holds a project already; run `sightline run` in it, or choose another folder")
    check_place(folder.absolute())
    above = [one for one in folder.absolute().parents if (one / config.PARAMS).is_file() and (one / ".dvc").is_dir()]
    if above:
        raise ProjectError(f"{folder} lies in the project {above[0]}: name a folder beside that, not one in it")
    if images.startswith(EMBEDDED) and _holds_images(folder):
        raise ProjectError(f"{folder} holds images: `sightline init NEW --images {folder}` makes a project of them")
    at_hand.folder()
    wanted = {"target": images} | ({"source": source} if source is not None else {})
    for use, given in wanted.items():
        if not given:
            word = "--images" if use == "target" else "--source"
            raise ProjectError(f"{word} is empty: name a folder of images, or a table of them")
        _check(given, download=download, external=external)
        _keep_apart(folder, given, external=external)
    outside = {use: Path(given).resolve() for use, given in wanted.items() if external and Path(given).is_dir()}
    with _whole_or_nothing(folder):
        _make(folder, wanted, outside, name, notify, download=download)
    if said := at_hand.told(config.load(folder).pretrain):
        notify(said)
    notify(f"{folder / config.PARAMS} holds every value that you may want to change")


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[None]:
    """Where the block fails, what it made in `folder` goes again."""
    before = set(folder.iterdir()) if folder.is_dir() else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise ProjectError(f"{folder} cannot be made ({why}): name a folder where you may write") from None
    try:
        yield
    except BaseException:
        for place in set(folder.iterdir()) - (before or set()):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
        if before is None:
            folder.rmdir()
        raise


def _make(
    folder: Path,
    wanted: dict[str, str],
    outside: dict[str, Path],
    name: str | None,
    notify: Callable[[str], None],
    *,
    download: bool,
) -> None:
    with ThreadPoolExecutor(1) as meanwhile:
        made = meanwhile.submit(repository.make, folder)
        tasks = _brought(folder, wanted, outside, notify, download=download)
    own = made.result()
    for file in FILES:
        shutil.copyfile(template(file), folder / file)
    (folder / "prefect.toml").write_text(PREFECT, encoding="utf-8")
    (folder / ".prefect").mkdir(exist_ok=True)
    (folder / ".prefect" / ".gitkeep").touch()  # a clone needs the folder: SQLite makes none
    (folder / ".gitignore").write_text(IGNORED + _beside(folder, wanted), encoding="utf-8")
    _write_params(folder, wanted, name, outside, tasks)
    inside = [f"data/raw/{use}" for use in wanted if use not in outside]
    if inside:
        # Not quietly: DVC would keep the reason of a failure to itself, too.
        repository.run(folder, "dvc", "add", *inside)
    if own:
        repository.commit(folder)


def _brought(
    folder: Path, wanted: dict[str, str], outside: dict[str, Path], notify: Callable[[str], None], *, download: bool
) -> dict[str, str]:
    """Bring the images of each data set to their place, and say what they are for."""
    tasks: dict[str, str] = {}
    for use, given in wanted.items():
        place = outside.get(use, folder / "data" / "raw" / use)
        if use in outside:
            notify(f"{use}: the images stay in {place}, outside of DVC: `dvc pull` cannot bring them back")
        said = [] if use in outside else _bring(given, place, download=download)
        tasks[use] = _task(given, place)
        if LABELS[tasks[use]].are_boxes:
            described = arriving.described(place)
        else:
            described = arrival.described(place, tasks[use], Path(given) if Path(given).exists() else None)
        for sentence in [*said, *described]:
            notify(f"{use}: {sentence}")
    return tasks


def _beside(folder: Path, wanted: dict[str, str]) -> str:
    """Lines by which git leaves out the folders of images that lie in the project."""
    places = [Path(given).resolve() for given in wanted.values()]
    inside = [place.relative_to(folder.resolve()) for place in places if place.is_relative_to(folder.resolve())]
    return "".join(f"/{place.as_posix()}/\n" for place in inside if (folder / place).is_dir())


def _task(given: str, place: Path) -> str:
    """What the data are for: several labels where a table or links say so. Only the folder itself has its links yet."""
    if given.startswith((EMBEDDED, published.PREFIX)):
        return CLASSIFY
    folder = Path(given) if Path(given).is_dir() and not packed.is_packed(Path(given)) else place
    if tells_boxes(folder) or (Path(given).is_file() and tells_boxes(Path(given))):
        return DETECT
    return MULTILABEL if label_sets.shows_several(folder, scan(folder)) else CLASSIFY


def _write_params(
    folder: Path, wanted: dict[str, str], name: str | None, outside: dict[str, Path], tasks: dict[str, str]
) -> None:
    """Last of all: where params.yaml stands, the project is whole."""

    def edit(values: Any) -> None:
        own = wanted["target"] not in {embedded.DIGITS, embedded.GLYPHS}
        more = BOXES if LABELS[tasks["target"]].are_boxes else {}
        for key, value in ({**OWN_IMAGES, **more} if own else {}).items():
            config.place(values, key, value)
        if name or own:
            values["project"]["name"] = plain((name or folder.resolve().name).strip("-.")).strip("-.") or "project"
            values["project"].yaml_add_eol_comment("registered models: NAME-backbone, NAME-classifier", "name")
        values["project"]["task"] = tasks["target"]
        if "source" not in wanted:
            del values["datasets"]["source"]
            if not wanted["target"].startswith(EMBEDDED):
                weights = at_hand.newest(values["pretrain"]["network"])
                values["pretrain"]["init"] = str(weights or shipped.FRACTALS)
                values["pretrain"].yaml_add_eol_comment(OWN if weights else SHIPPED, "init")
        elif tasks["source"] != tasks["target"]:
            values["datasets"]["source"]["task"] = tasks["source"]
        for use, place in outside.items():
            values["datasets"][use]["images"] = str(place)
            values["datasets"][use]["raw"] = EXTERNAL

    config.change(template(config.PARAMS), folder / config.PARAMS, edit)
    config.load(folder)


def _check(given: str, *, download: bool, external: bool) -> None:
    if given.startswith(EMBEDDED):
        embedded.check(given)
    elif given.startswith(published.PREFIX):
        published.check(given, download=download)
    elif packed.is_packed(Path(given)):
        if external:
            raise ProjectError(
                f"{given} holds its images inside of files: they are written as files into the project, so leave out "
                "--external"
            )
    elif Path(given).is_dir():
        try:
            next(iter(scan(Path(given))))
        except DataError:
            # A row for each box is no table of classes.
            if not tells_boxes(Path(given)):
                raise
    elif "://" in given:
        raise DataError(f"{given}: an address is not fetched; copy it into a folder first, and name that")
    elif not Path(given).is_file():
        raise DataError(f"{given}: there is no such folder or table; name a folder with a folder of images per class")


def _holds_images(folder: Path) -> bool:
    try:
        next(iter(scan(folder)))
    except (DataError, StopIteration):
        return False
    return True


def _keep_apart(folder: Path, given: str, *, external: bool) -> None:
    """Raise ProjectError where the project would be copied into itself, or its files be taken for images."""
    images, project = Path(given).resolve(), folder.resolve()
    if not images.is_dir() or not project.is_relative_to(images) or (external and project != images):
        return
    raise ProjectError(
        f"{folder} lies in {given}: the images would be copied into themselves; "
        f"make the project beside the images, such as {images.parent / f'{images.name}-project'}"
    )


def _bring(given: str, target: Path, *, download: bool) -> list[str]:
    """Put the images into the raw folder `target`, and say what is worth saying."""
    if target.exists():
        shutil.rmtree(target)
    if given.startswith(EMBEDDED):
        embedded.write(given, target)
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    if given.startswith(published.PREFIX):
        left = published.write(given, target, download=download)
        return [copying.sentence(left)] if left else []
    if Path(given).is_file() and tells_boxes(Path(given)):
        return arriving.bring(Path(given), target)
    return arrival.bring(Path(given), target)
