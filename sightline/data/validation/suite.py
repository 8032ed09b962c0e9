"""What a manifest must fulfil: one rule, one expectation, one sentence for people.

Import it late: Great Expectations takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import great_expectations.expectations as library
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column

from sightline.data.manifest import COLUMNS, HELD_BACK, OK, QUARANTINED
from sightline.data.quality import DEMANDS, DEMANDS_OF_SETS, of_sets
from sightline.data.validation.checks import (
    ExpectFewBlank,
    ExpectFewQuarantined,
    ExpectImagesPerClass,
    ExpectManifestTypes,
    ExpectNothingFound,
    ExpectOneEach,
)
from sightline.heads.labels import CLASSIFY
from sightline.params import ROLES

if TYPE_CHECKING:
    from sightline.params import Dataset, Validate

gxe: Any = library  # it declares none of its expectations as exported
REMAKE = "Bring the manifest back with `dvc checkout`, or delete it and run `dvc repro` to make it anew."
USABLE = Column("status").is_in([OK, HELD_BACK])
IN_USE = Column("status") == OK


class Demand(NamedTuple):
    """One expectation and the sentence for a manifest that breaks it."""

    id: str
    expectation: Any
    """Its description says in plain words what is demanded."""
    broken: str
    """May name {n} (rows or cases at fault), {of} (rows looked at), {found} (what was found instead), and {are} and
    {have} as they agree with {n}."""


def rules(limits: Validate, dataset: Dataset, task: str = CLASSIFY) -> list[Demand]:
    """List the rules of a data set, the most basic first."""
    return [
        *_table_rules(),
        *_file_rules(),
        *_image_rules(),
        *_limit_rules(limits),
        *_class_rules(limits, dataset, task),
        *_leak_rules(),
        *_quality_rules(limits, task),
        *_warnings(),
    ]


def demand(name: str, kind: Any, asked: str, broken: str, **arguments: Any) -> Demand:
    """A rule of that `kind`, which asks for what `asked` says."""
    return Demand(name, kind(description=asked, **arguments), broken)


def _table_rules() -> list[Demand]:
    return [
        demand(
            "columns",
            gxe.ExpectTableColumnsToMatchSet,
            "The manifest has the columns that Sightline writes, and no others.",
            f"The manifest has other columns than Sightline writes ({{found}}). {REMAKE}",
            column_set=list(COLUMNS),
        ),
        demand(
            "types",
            ExpectManifestTypes,
            "Each column holds the kind of values that Sightline writes: text, or numbers.",
            f"Columns of the manifest are of another type than Sightline writes: {{found}}. {REMAKE}",
            types=COLUMNS,
        ),
    ]


def _file_rules() -> list[Demand]:
    """Rules about every file, in quarantine or not."""
    return [
        *(
            demand(
                f"{name}-present",
                gxe.ExpectColumnValuesToNotBeNull,
                f"Every file has a {name}.",
                f"{{n}} of {{of}} files {{have}} no {name}. {REMAKE}",
                column=column,
            )
            for name, column in {"path": "path", "digest": "sha256", "status": "status"}.items()
        ),
        demand(
            "path-once",
            gxe.ExpectColumnValuesToBeUnique,
            "No file is listed twice.",
            f"{{n}} rows of the manifest name a file that another row names too. {REMAKE}",
            column="path",
        ),
        demand(
            "status-known",
            gxe.ExpectColumnValuesToBeInSet,
            f"Every file is {OK}, {HELD_BACK} (left out on purpose) or {QUARANTINED} (cannot be used).",
            f"{{n}} of {{of}} files {{have}} a status that Sightline does not know ({{found}}). {REMAKE}",
            column="status",
            value_set=[OK, HELD_BACK, QUARANTINED],
        ),
    ]


def _image_rules() -> list[Demand]:
    """Rules about every usable image, that is, one that is not in quarantine."""
    label = "Put the files into a folder named like their class, name the class in labels.csv, or remove them."
    return [
        *(
            demand(
                f"{column}-present",
                gxe.ExpectColumnValuesToNotBeNull,
                f"Every usable image has a {column}.",
                f"{{n}} of {{of}} usable images {{have}} no {column}. {label if column == 'label' else REMAKE}",
                column=column,
                row_condition=IN_USE if column == "role" else USABLE,
            )
            for column in ("label", "role", "mode", "width", "height")
        ),
        demand(
            "role-known",
            gxe.ExpectColumnValuesToBeInSet,
            f"Every usable image has one of the roles {', '.join(ROLES)}.",
            f"{{n}} of {{of}} usable images {{have}} a role that Sightline does not know ({{found}}). {REMAKE}",
            column="role",
            value_set=list(ROLES),
            row_condition=USABLE,
        ),
    ]


def _limit_rules(limits: Validate) -> list[Demand]:
    """Rules whose limits stand in `params.yaml`."""
    sides = f"{limits.min_side} … {limits.max_side} pixels"
    return [
        *(
            demand(
                f"{column}-in-range",
                gxe.ExpectColumnValuesToBeBetween,
                f"The {column} of every usable image is {sides}.",
                f"{{n}} of {{of}} usable images {{have}} a {column} outside {sides} ({{found}}). "
                "Remove or resize them, or change validate.min_side and validate.max_side.",
                column=column,
                min_value=limits.min_side,
                max_value=limits.max_side,
                row_condition=USABLE,
            )
            for column in ("width", "height")
        ),
        demand(
            "mode-accepted",
            gxe.ExpectColumnValuesToBeInSet,
            f"Every usable image is stored in an accepted colour mode: {', '.join(limits.modes)}.",
            "{n} of {of} usable images {are} stored in a colour mode that validate.modes does not accept ({found}). "
            "Convert or remove them, or add the mode there.",
            column="mode",
            value_set=limits.modes,
            row_condition=USABLE,
        ),
        demand(
            "few-quarantined",
            ExpectFewQuarantined,
            f"At most {limits.max_quarantined:.1%} of the files, or a handful, are in quarantine, that is, unusable.",
            f"Too many files are in quarantine, {{found}}. Mend or remove them, or raise validate.max_quarantined "
            f"(now {limits.max_quarantined:g}).",
            largest=limits.max_quarantined,
        ),
        demand(
            "few-blank",
            ExpectFewBlank,
            f"At most {limits.max_blank:.1%} of the usable images are blank, that is, one even surface.",
            f"Too many images are blank, {{found}}. Remove them, or raise validate.max_blank ({limits.max_blank:g}).",
            largest=limits.max_blank,
            spread=limits.blank,
        ),
    ]


def _class_rules(limits: Validate, dataset: Dataset, task: str) -> list[Demand]:
    """Rules about numbers of images; a held-back image is not in use and does not count."""
    roles = [role for role in ROLES if getattr(dataset.roles, role) > 0]
    least = f"at least {limits.min_images_per_class} in each of {', '.join(roles)}"
    return [
        demand(
            "some-images",
            gxe.ExpectTableRowCountToBeBetween,
            "There is at least one image to work with.",
            "There is no image to work with: the folder is empty, or all of its files are in quarantine.",
            min_value=1,
            row_condition=IN_USE,
        ),
        demand(
            "two-classes",
            gxe.ExpectColumnUniqueValueCountToBeBetween,
            "The images belong to at least two classes: with fewer there is nothing to tell apart.",
            "Classes with usable images: {found}. With fewer than two there is nothing to tell apart: "
            "add a folder of images for each further class.",
            column="label",
            min_value=2,
            row_condition=IN_USE,
        ),
        demand(
            "enough-images",
            ExpectImagesPerClass,
            f"Each class has enough images: {least}. Held-back images do not count.",
            f"Too few images: {{found}}. Each class needs {least}: add images, lower validate.min_images_per_class, "
            "or set the share of a role to 0.",
            minimum=limits.min_images_per_class,
            roles=roles,
            task=task,
        ),
    ]


def _leak_rules() -> list[Demand]:
    return [
        demand(
            "no-leak",
            ExpectOneEach,
            "No picture is in two roles: a test on pictures that were trained on proves nothing.",
            "Pictures that are in more than one role, byte for byte: {n}. A test on them would prove nothing: "
            "remove the copies on one side.",
            key="sha256",
            value="role",
        ),
        demand(
            "near-copies-together",
            ExpectOneEach,
            "Near copies of a picture are all in one role, as exact ones are.",
            "Pictures with near copies in more than one role: {n}. A test on them would prove little: give the copies "
            "the same split, or remove those on one side.",
            key="alike",
            value="role",
        ),
        demand(
            "group-together",
            ExpectOneEach,
            "Images of one group (a patient, a camera, a lot) are all in one role.",
            "Groups with images in more than one role: {n}. Such images resemble each other, and a test on them would "
            "prove little: give all images of a group the same split, or correct the group.",
            key="group",
            value="role",
        ),
    ]


def _warnings() -> list[Demand]:
    """Rules that are told when they are broken, and stop nothing."""
    return [
        demand(
            "picture-once",
            gxe.ExpectColumnValuesToBeUnique,
            "No usable picture is there twice, byte for byte. (A warning: copies only count double.)",
            "{n} of {of} usable images have a byte-identical copy in the data set: they count double.",
            column="sha256",
            row_condition=USABLE,
            severity=FailureSeverity.WARNING,
        ),
        demand(
            "one-label",
            ExpectOneEach,
            "No usable picture has two labels. (A warning: such a picture teaches a contradiction.)",
            "Pictures that are there under more than one label, byte for byte: {n}. Decide for one label.",
            key="sha256",
            value="label",
            severity=FailureSeverity.WARNING,
        ),
    ]


def _quality_rules(limits: Validate, task: str) -> list[Demand]:
    """Rules about the pictures themselves; each finding says in its own words what it found."""
    return [
        demand(
            finder,
            ExpectNothingFound,
            f"{asked} (A warning.)",
            "{found}",
            finder=finder,
            limits={name: getattr(limits, name) for name in names},
            task=task,
            severity=FailureSeverity.WARNING,
        )
        for finder, (asked, names) in {**DEMANDS, **(DEMANDS_OF_SETS if of_sets(task) else {})}.items()
    ]
