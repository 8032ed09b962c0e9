"""The registry behind the gate: the ledger is the truth, the aliases follow it, and a person's alias is a request."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sightline.errors import RegistryError, Stale
from sightline.evaluate import release
from sightline.registry import strangers
from sightline.registry.blessing import FAILED, PASSED
from sightline.registry.candidate import Request
from sightline.registry.genuine import verify_version
from sightline.registry.ledger import (
    INSUFFICIENT,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    SET_BACK,
    UNCHANGED,
    WAITING,
    Entry,
    Identity,
)
from sightline.registry.outcome import Outcome, describe
from sightline.registry.trial import start_trial
from sightline.registry.waiting import LED_BACK, declined, earlier, last_row
from sightline.tracking.versions import CHALLENGER, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sightline.registry.judge import Judgement
    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker

    Judge: TypeAlias = Callable[[Request, str | None], Judgement]

BY_HAND = "the alias champion was set by hand in MLflow"


def submit(tracker: Tracker, ledger: Ledger, request: Request, judge: Judge, *, approval: bool) -> Outcome:
    """Put a version through the gate, again where another one became champion meanwhile; a ledger row in any case.

    With `approval` a version that passed waits for a person. A version that has the champion's number and is not the
    champion is refused unseen: one number cannot stand for both. So is one that somebody rolled back from, or refused,
    unless it is asked for: what was wrong with it no check has seen.
    """
    model = tracker.classifier_model
    while True:
        standing = ledger.standing(model)
        champion = standing.champion.version if standing.champion else None
        if champion == request.version:
            trouble = strangers.told(tracker, standing.champion)
            word, said = UNCHANGED, f"version {champion} is the champion already"
            if trouble:
                word, said = REFUSED, f"it is not judged: {trouble}"
            ledger.append(_entry(tracker, request, champion, word, said, {}))
            project(tracker, ledger)
            return Outcome(request.version, champion, word, said)
        if why := None if request.is_asked else declined(ledger, model, request.version):
            said = f"{why}: `sightline promote {request.version} --reason …` asks for it all the same"
            ledger.append(_entry(tracker, request, champion, REFUSED, said, {}))
            project(tracker, ledger)
            return Outcome(request.version, champion, REFUSED, said)
        judgement = judge(request, champion)
        try:
            return record(tracker, ledger, request, judgement, approval=approval)
        except Stale:
            continue


def record(tracker: Tracker, ledger: Ledger, request: Request, judgement: Judgement, *, approval: bool) -> Outcome:
    """Write down what the gate said, then let the aliases follow; with `approval` what passed waits for a person.

    Raises Stale where the judgement is no longer about the present champion, or the version was exchanged meanwhile.
    """
    said, model = judgement.decision.sentence, tracker.classifier_model
    word = _word(judgement.decision.verdict, approval=approval)
    entry = _entry(tracker, request, judgement.champion, word, said, judgement.evidence())
    if judgement.bundle not in {None, entry.bundle}:
        raise Stale(f"version {request.version} in MLflow is no longer the one that was judged; promote it again")
    ledger.append(entry)
    tracker.tag_version(model, request.version, {"gate": said[:5000]})
    if word == PROMOTED:
        project(tracker, ledger)
    else:
        tracker.set_alias(model, CHALLENGER, request.version)
    if word == WAITING:
        said += "; it waits for approval"
    return Outcome(
        request.version,
        ledger.champion(model),
        word,
        said,
        judgement.decision.blessings,
        request=request,
        judgement=judgement,
    )


def _word(verdict: str, *, approval: bool) -> str:
    if verdict == FAILED:
        return REFUSED
    if verdict == PASSED and not approval:
        return PROMOTED
    return WAITING if approval else INSUFFICIENT


def take(tracker: Tracker, ledger: Ledger, version: str, by: str, reason: str) -> Outcome:
    """Make a version the champion that waits for a person, on the evidence that this person has looked at.

    Raises RegistryError where it does not wait, where it was not shown to be better and `reason` is empty, or where it
    does not load and answer; Stale where champion, test release or the version itself have changed since.
    """
    last = _waiting(tracker, ledger, version)
    if last.evidence["verdict"] != PASSED:
        _check_reason(version, "is not shown to be better", reason)
    bound = last.evidence["bound"]
    _unchanged(tracker, version, last.evidence["release"], bound["release"])
    judged = Identity(version, last.bundle, bound["weights"])
    if strangers.registered(tracker, judged) is None:
        raise Stale(f"version {version} in MLflow is no longer the one that was judged; promote it again")
    answered = load_test(tracker, ledger, judged)
    evidence = {**last.evidence, "approved": {"by": by, "reason": reason, **answered}}
    said = f"approved by {by}" + (f": {reason}" if reason.strip() else "")
    # The row is refused where the champion is no longer the one that the version was compared with.
    ledger.append(replace(last, decision=PROMOTED, actor=by, reason=said, evidence=evidence))
    project(tracker, ledger)
    return Outcome(version, version, PROMOTED, said)


def turn_down(tracker: Tracker, ledger: Ledger, version: str, by: str, reason: str) -> Outcome:
    """Refuse a version that waits for a person, who says why. It comes back only where somebody promotes it.

    Raises RegistryError where it does not wait, or `reason` is empty.
    """
    last = _waiting(tracker, ledger, version)
    _check_reason(version, "is to be refused", reason)
    said, evidence = f"refused by {by}: {reason}", {**last.evidence, "refused": {"by": by, "reason": reason}}
    ledger.append(replace(last, decision=REFUSED, actor=by, reason=said, evidence=evidence))
    describe(tracker, ledger, version)
    return Outcome(version, ledger.champion(tracker.classifier_model), REFUSED, said)


def _waiting(tracker: Tracker, ledger: Ledger, version: str) -> Entry:
    last = last_row(ledger, tracker.classifier_model, version)
    if last is None or last.decision not in {INSUFFICIENT, WAITING}:
        said = "nobody has judged it yet" if last is None else f"it is {last.decision}"
        raise RegistryError(f"version {version} does not wait for a person: {said}; `sightline promote {version}` asks")
    return last


def _check_reason(version: str, what: str, reason: str) -> None:
    if not reason.strip():
        raise RegistryError(f"version {version} {what}: say why with --reason, it stands in the ledger")


def _unchanged(tracker: Tracker, version: str, release_name: str, digest: str) -> None:
    if not release.stands(tracker.paths, release_name, digest):
        raise Stale(
            f"test release {release_name} has changed since version {version} was judged on it, or is another one in "
            f"this copy of the project; `sightline promote {version} --reason …` judges it anew"
        )


def project(tracker: Tracker, ledger: Ledger) -> None:
    """Set the aliases as the ledger says, until nothing changes meanwhile: mends a promotion that was killed too."""
    model = tracker.classifier_model
    with _lock(tracker):
        while True:
            standing = ledger.standing(model)
            champion = strangers.registered(tracker, standing.champion)
            _point(tracker, model, CHAMPION, champion)
            _point(tracker, model, PREVIOUS, strangers.registered(tracker, standing.previous))
            challenger = _aliased(tracker, model, CHALLENGER)
            if challenger is not None and challenger == champion:
                tracker.set_alias(model, CHALLENGER, None)
            if ledger.standing(model).change == standing.change:
                if not standing.projected:
                    describe(tracker, ledger)
                    ledger.mark_projected(model, standing.change)
                return


def answer_requests(tracker: Tracker, ledger: Ledger, judge: Judge, *, approval: bool) -> tuple[str, ...]:
    """Where a person moved the alias champion, put that version through the gate: adopt it, or set the alias back.

    With `approval` a version that passes waits for a person as any other: whoever moves an alias has not seen what the
    gate says. What was done, in sentences. Mends the aliases in any case.
    """
    wanted = _asked_by_hand(tracker, ledger)
    if wanted is None:
        project(tracker, ledger)
        return ()
    model = tracker.classifier_model
    standing = ledger.standing(model)
    champion = standing.champion.version if standing.champion else None
    request = Request(version=wanted or str(champion), reason=BY_HAND, actor="MLflow's page")
    trouble = strangers.told(tracker, standing.champion) if wanted == champion else None
    judgement = judge(request, champion) if wanted and not trouble else None
    if judgement is not None and judgement.decision.promote:
        outcome = record(tracker, ledger, request, judgement, approval=approval)
        if outcome.promoted:
            return (f"{BY_HAND} to version {wanted}: adopted, {outcome.sentence}",)
        project(tracker, ledger)
        return (f"{BY_HAND} to version {wanted}: set back until somebody approves it, {outcome.sentence}",)
    why = judgement.decision.sentence if judgement else trouble or "it was removed, and an alias alone decides nothing"
    evidence = judgement.evidence() if judgement else {}
    ledger.append(_entry(tracker, request, champion, SET_BACK, why, evidence))
    project(tracker, ledger)
    what = f"to version {wanted}" if wanted else "to none"
    back = _aliased(tracker, model, CHAMPION)
    return (f"{BY_HAND} {what}: set back to {f'version {back}' if back else 'none'}, {why}",)


def rollback(tracker: Tracker, ledger: Ledger, reason: str) -> Outcome:
    """Make the previous champion champion again, once it has been loaded and has answered as it was registered to.

    Raises RegistryError where there is none, or where it does not load and answer.
    """
    model = tracker.classifier_model
    champion, before = earlier(ledger, model)
    previous = before.version
    answered = load_test(tracker, ledger, before)
    request = Request(version=previous, reason=reason, actor=getpass.getuser())
    said = f"{LED_BACK} {champion} to version {previous}, which {answered['said']}"
    entry = _entry(tracker, request, champion, ROLLED_BACK, said, answered)
    ledger.append(replace(entry, bundle=before.bundle or entry.bundle))
    project(tracker, ledger)
    return Outcome(previous, previous, ROLLED_BACK, said)


def load_test(tracker: Tracker, ledger: Ledger, crowned: Identity) -> dict[str, Any]:
    """Load a former champion in a fresh, restricted process, compare its golden answers, and time it; what was found.

    Raises RegistryError where it fails, or where the registry holds another version under its number.
    """
    started = time.perf_counter()
    model, version = tracker.classifier_model, crowned.version
    trouble = strangers.told(tracker, crowned)
    if trouble:
        raise RegistryError(f"{model} version {version} is not used: {trouble}")
    trouble = start_trial(verify_version(tracker, ledger, version).bundle).trouble()
    if trouble:
        raise RegistryError(f"{model} version {version} does not load and answer, so it is not used: {trouble}")
    seconds = time.perf_counter() - started
    return {"said": f"loaded and gave its golden answers in {seconds:.1f} s", "seconds": seconds}


def _asked_by_hand(tracker: Tracker, ledger: Ledger) -> str | None:
    """The version that a person gave the alias champion, "" where it was removed; None where it is as it should be."""
    model = tracker.classifier_model
    with _lock(tracker):
        standing = ledger.standing(model)
        present = _aliased(tracker, model, CHAMPION)
        wanted = strangers.registered(tracker, standing.champion)
        unchanged = ledger.standing(model).change == standing.change
    # Before the aliases were set for a change, their difference is a promotion that was killed or is at work.
    if not standing.projected or not unchanged or present == wanted:
        return None
    return present or ""


def _entry(
    tracker: Tracker, request: Request, champion: str | None, word: str, said: str, evidence: dict[str, Any]
) -> Entry:
    asked = {"rule": request.rule, "override": list(request.override), "flow_run": request.flow_run}
    return Entry(
        model=tracker.classifier_model,
        version=request.version,
        champion_before=champion,
        decision=word,
        actor=request.actor,
        reason=f"{request.reason}: {said}",
        evidence={**evidence, "asked": asked},
        bundle=tracker.digest(tracker.classifier_model, request.version),
    )


def _point(tracker: Tracker, model: str, alias: str, number: str | None) -> None:
    if _aliased(tracker, model, alias) != number:
        tracker.set_alias(model, alias, number)


def _aliased(tracker: Tracker, model: str, alias: str) -> str | None:
    present = tracker.aliased(model, alias)
    return str(present.version) if present else None


def _lock(tracker: Tracker) -> FileLock:
    """One process of this machine at a time sets aliases."""
    tracker.paths.mlflow.mkdir(exist_ok=True)
    return FileLock(tracker.paths.mlflow / "aliases.lock")
