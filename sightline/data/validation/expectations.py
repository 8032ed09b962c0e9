"""Whether a data set is fit: a Great Expectations checkpoint over its manifest, and the verdict in plain words."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sightline.data.validation.verdict import ExpectationResult, Verdict
from sightline.heads.labels import CLASSIFY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from sightline.data.validation.baseline import Baseline
    from sightline.data.validation.suite import Demand
    from sightline.params import Dataset, Validate

SUITE = "suite"
"""Id of the finding that tells whether every declared expectation was executed."""


def validate(
    rows: pd.DataFrame,
    limits: Validate,
    dataset: Dataset,
    name: str,
    docs: Path,
    baseline: Baseline | None = None,
    task: str = CLASSIFY,
    boxes: pd.DataFrame | None = None,
) -> Verdict:
    """Check the manifest `rows` of data set `name` and write the page of Data Docs below the folder `docs`.

    Compares it with the accepted `baseline` where there is one. The table of `boxes` is checked too, where images have
    such; its page stands beside the first. Fails closed: an expectation that was dropped, altered or raised counts as
    failed.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read once, when the library is imported
    from sightline.data.validation import baseline_rules, datadocs, suite

    declared = suite.rules(limits, dataset, task) + (
        baseline_rules.rules(limits.baseline, baseline, task) if baseline else []
    )
    outcome = _run_checkpoint(rows, declared, name)
    verdict = _verdict(name, declared, outcome)
    datadocs.write(outcome, verdict, docs)
    if boxes is None:
        return verdict
    from sightline.data.validation import box_rules

    about = box_rules.rules(limits, rows, task)
    outcome = _run_checkpoint(box_rules.frame(boxes, rows), about, f"{name}-boxes")
    more = _verdict(f"{name}-boxes", about, outcome)
    datadocs.write(outcome, more, docs)
    return replace(
        verdict,
        passed=verdict.passed and more.passed,
        declared=verdict.declared + more.declared,
        executed=verdict.executed + more.executed,
        findings=verdict.findings + more.findings,
    )


def _verdict(name: str, declared: list[Demand], outcome: Any) -> Verdict:
    findings = judge(declared, outcome.results)
    return Verdict(
        dataset=name,
        passed=all(found.passed for found in findings if found.critical),
        declared=len(declared),
        executed=len(outcome.results),
        findings=findings,
        page=f"{name}.html",
    )


def judge(declared: list[Demand], results: list[Any]) -> tuple[ExpectationResult, ...]:
    """Make a finding of each rule, and a first one that compares the executed expectations with the declared ones."""
    by_key = {_key(result.expectation_config): result for result in results}
    keys = [_key(rule.expectation.configuration) for rule in declared]
    executed = Counter(_key(result.expectation_config) for result in results)
    complete = Counter(keys) == executed
    said = "Every declared expectation was executed, and no other."
    if not complete:
        said = (
            f"Great Expectations executed {len(results)} of {len(declared)} declared expectations, or other ones: "
            "what was not checked must not be trained on. Reinstall Sightline and great-expectations, then run again."
        )
    findings = (_finding(rule, by_key.get(key)) for rule, key in zip(declared, keys, strict=True))
    return (ExpectationResult(SUITE, critical=True, passed=complete, sentence=said), *findings)


def _run_checkpoint(rows: pd.DataFrame, declared: list[Demand], name: str) -> Any:
    """Run the suite over `rows` in an ephemeral context: nothing is kept on disk."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from sightline.data.validation.checks import EXAMPLES

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[rule.expectation for rule in declared]))
    asset = context.data_sources.add_pandas("manifests").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all")
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    # Longer formats collect every unexpected row in a Python loop, a million where all fail: a few examples will do.
    few = {"result_format": "BASIC", "include_unexpected_rows": True, "partial_unexpected_count": EXAMPLES}
    checkpoint = gx.Checkpoint(name=name, validation_definitions=[definition], result_format=few)
    (outcome,) = checkpoint.run(batch_parameters={"dataframe": rows}).run_results.values()
    return outcome


def _key(configuration: Any) -> tuple[str, str]:
    """Type and arguments of an expectation; the batch is given at execution and says nothing about it."""
    arguments = {name: value for name, value in configuration.kwargs.items() if name != "batch_id"}
    return configuration.type, json.dumps(arguments, sort_keys=True, default=str)


def _finding(rule: Demand, result: Any) -> ExpectationResult:
    critical = rule.expectation.severity == "critical"
    demand = rule.expectation.description
    if result is None:
        return ExpectationResult(rule.id, critical, passed=False, sentence=f"Not checked: {demand}")
    trouble = _exception(result.exception_info)
    if trouble:
        return ExpectationResult(
            rule.id, critical, passed=False, sentence=f"Could not be checked: {demand} ({trouble})"
        )
    if result.success:
        return ExpectationResult(rule.id, critical, passed=True, sentence=demand)
    sentence = rule.broken.format_map(_facts(result.result))
    return ExpectationResult(rule.id, critical, passed=False, sentence=sentence, examples=_examples(result.result))


def _exception(info: Mapping[str, Any]) -> str:
    """Find the message of an exception inside an expectation, else an empty text; the library nests them by metric."""
    infos = [info] if "raised_exception" in info else list(info.values())
    return "; ".join(sorted({str(found["exception_message"]) for found in infos if found["raised_exception"]}))


def _facts(result: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what a rule's sentence may name."""
    found = result.get("observed_value")
    if "details" in result:
        found = "; ".join(
            f"{kind}: {', '.join(map(str, names))}" for kind, names in result["details"]["mismatched"].items()
        )
    elif found is None:
        found = ", ".join(sorted({str(value) for value in result.get("partial_unexpected_list", ())}))
    cases = result.get("unexpected_count", result.get("cases"))
    agreeing = {"are": "is", "have": "has"} if cases == 1 else {"are": "are", "have": "have"}
    return {"n": cases, "of": result.get("element_count"), "found": found, **agreeing}


def _examples(result: Mapping[str, Any]) -> tuple[str, ...]:
    rows = result.get("unexpected_rows")
    paths = result.get("examples", ()) if rows is None or "path" not in rows else rows["path"].dropna()
    return tuple(dict.fromkeys(str(path) for path in paths))
