"""Aliases follow the ledger: whoever races, dies or clicks."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sightline.errors import RegistryError, Stale
from sightline.project import Paths
from sightline.registry.blessing import OVERALL, REQUIRED, Blessing, Bound, decide
from sightline.registry.candidate import Request
from sightline.registry.champion import answer_requests, project, record, rollback, submit, take, turn_down
from sightline.registry.judge import Judgement, best_champion
from sightline.registry.ledger import PROMOTED, ROLLED_BACK, Identity, Ledger
from sightline.registry.opening import open_ledger
from sightline.registry.outcome import standings
from sightline.registry.promotion import decided
from sightline.registry.waiting import waiting
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHALLENGER, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.tracking.runs import Tracker

MODEL = "digits-classifier"
BOUND = Bound(data="d", code="c", weights="w", release="r")
FORKS = multiprocessing.get_context("forkserver")
STORES = ["mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"]
FORKS.set_forkserver_preload(["sightline.registry.champion", "mlflow", *STORES])
RACERS = 16


def judged(request: Request, champion: str | None, verdict: str) -> Judgement:
    """A judgement by the production rules, all checks passed but for the comparison."""
    checks = [Blessing(name=name, verdict="passed", sentence="well", digests=BOUND) for name in REQUIRED]
    told = {"accuracy": 0.9, "champion_accuracy": 0.8}
    checks = [replace(one, verdict=verdict, figures=told) if one.name == OVERALL else one for one in checks]  # type: ignore[arg-type]
    decision = decide(checks, BOUND, request.override)
    return Judgement(version=request.version, champion=champion, release="r1", bound=BOUND, decision=decision)


def better_than_the_first(request: Request, champion: str | None) -> Judgement:
    """Everything is better than nothing and than version 1, and than no other."""
    return judged(request, champion, "passed" if champion in {None, "1"} else "failed")


def never(request: Request, champion: str | None) -> Judgement:
    return judged(request, champion, "failed")


def too_few(request: Request, champion: str | None) -> Judgement:
    return judged(request, champion, "insufficient")


def asked(version: str) -> Request:
    return Request(version=version, reason="test", actor="ann")


def own_store(patch: pytest.MonkeyPatch) -> None:
    """Let the project choose its store. Set first, because MLflow sets the variable and only then it is put back."""
    patch.setenv("MLFLOW_TRACKING_URI", "")
    patch.delenv("MLFLOW_TRACKING_URI")


def add_version(tracker: Tracker, bundle: str) -> None:
    """Register a version that says which bundle it is; none has files here."""
    tags = {"bundle": bundle, "weights": BOUND.weights}
    tracker.client.create_model_version(MODEL, tracker.paths.root.as_uri(), tags=tags)


def start_anew(tracker: Tracker, *bundles: str) -> None:
    """Delete the registered model and register others: their numbers begin at 1 again."""
    tracker.client.delete_registered_model(MODEL)
    tracker.client.create_registered_model(MODEL)
    for bundle in bundles:
        add_version(tracker, bundle)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with 20 versions, of which the first is champion."""
    root = tmp_path_factory.mktemp("registry") / "toy"
    root.mkdir()
    shutil.copyfile(Path(__file__).parents[2] / "params.yaml", root / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        own_store(patch)
        tracker = connect(Paths(root))
        tracker.client.create_registered_model(MODEL)
        for number in range(1, 21):
            add_version(tracker, f"bundle {number}")
        ledger = open_ledger(tracker.paths)
        submit(tracker, ledger, asked("1"), better_than_the_first, approval=False)
        ledger.close()
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_store(monkeypatch)
    return Path(shutil.copytree(template, tmp_path / "toy"))


@pytest.fixture
def tracker(root: Path) -> Tracker:
    return connect(Paths(root))


@pytest.fixture
def ledger(root: Path) -> Iterator[Ledger]:
    ledger = open_ledger(Paths(root))
    yield ledger
    ledger.close()


def aliases(tracker: Tracker) -> tuple[str | None, ...]:
    found = [tracker.aliased(MODEL, alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER)]
    return tuple(str(one.version) if one else None for one in found)


def race(root: Path, version: str, start: float) -> None:
    """One process of many: promote at `start`."""
    import time

    tracker = connect(Paths(root))
    ledger = open_ledger(tracker.paths)
    time.sleep(max(0.0, start - time.time()))
    submit(tracker, ledger, asked(version), better_than_the_first, approval=False)


@pytest.mark.slow
def test_sixteen_processes_at_once_have_one_winner(root: Path, tracker: Tracker, ledger: Ledger) -> None:
    """One wins, each attempt has a row that is true of the champion that it names, and the alias is the ledger's."""
    import time

    start = time.time() + 10
    racers = [FORKS.Process(target=race, args=(root, str(number + 2), start)) for number in range(RACERS)]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    assert [one.exitcode for one in racers] == [0] * RACERS
    rows = ledger.history(MODEL)[1:]
    (winner,) = [row for row in rows if row.decision == "promoted"]
    assert winner.champion_before == "1"
    assert sorted(int(row.version) for row in rows) == list(range(2, RACERS + 2))
    assert {(row.decision, row.champion_before) for row in rows} - {("promoted", "1")} == {("refused", winner.version)}
    assert aliases(tracker)[:2] == (ledger.champion(MODEL), "1") == (winner.version, "1")


def promote_and_die(root: Path, step: int, told: Path) -> None:
    """Promote version 2, and kill -9 this process before the write number `step`; the number of writes to `told`."""
    tracker = connect(Paths(root))
    ledger = open_ledger(tracker.paths)
    count = 0

    def before_commit(_: sa.Connection) -> None:
        nonlocal count
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    sa.event.listen(sa.engine.Engine, "commit", before_commit)
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    told.write_text(str(count))


def killed_at(root: Path, step: int) -> int | None:
    """Exit of a promotion that dies at `step`: the number of writes where it lived."""
    told = root / "told"
    process = FORKS.Process(target=promote_and_die, args=(root, step, told))
    process.start()
    process.join()
    return int(told.read_text()) if told.is_file() else None


def test_promotion_killed_at_any_step_is_finished_or_has_not_happened(template: Path, tmp_path: Path) -> None:
    """Kill -9 before each write: the next flow finds the old champion or the new one, aliases alike, and can go on."""
    with pytest.MonkeyPatch.context() as patch:
        own_store(patch)
        champions: list[str | None] = []
        # One process after another, a registry each, until one lives to the end.
        for step in range(100):
            root = Path(shutil.copytree(template, tmp_path / f"killed{step}"))
            if killed_at(root, step) is not None:
                break
            tracker = connect(Paths(root))
            ledger = open_ledger(tracker.paths)
            assert answer_requests(tracker, ledger, never, approval=False) == ()
            champions.append(ledger.champion(MODEL))
            expected = ("1", None) if champions[-1] == "1" else ("2", "1")
            assert aliases(tracker)[:2] == expected
            submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
            assert aliases(tracker)[:2] == ("2", "1")
            assert [row.decision for row in ledger.history(MODEL)].count("promoted") == 2
            ledger.close()
    assert len(champions) > 5
    assert set(champions) == {"1", "2"}
    # Once it has happened at one step it has at all later ones.
    assert champions == sorted(champions, key=str)


def test_alias_set_by_hand_is_gated_and_adopted(tracker: Tracker, ledger: Ledger) -> None:
    """A version that passes becomes champion with a row that says how, and it is told."""
    tracker.set_alias(MODEL, CHAMPION, "5")
    (told,) = answer_requests(tracker, ledger, better_than_the_first, approval=False)
    assert "to version 5: adopted" in told
    row = ledger.history(MODEL)[-1]
    assert (row.decision, row.version, row.champion_before) == ("promoted", "5", "1")
    assert "set by hand" in row.reason
    assert aliases(tracker)[:2] == ("5", "1")


def test_alias_set_by_hand_is_no_approval(tracker: Tracker, ledger: Ledger) -> None:
    """Where promotions wait for a person, this one does, too."""
    tracker.set_alias(MODEL, CHAMPION, "5")
    (told,) = answer_requests(tracker, ledger, better_than_the_first, approval=True)
    assert "to version 5: set back until somebody approves it" in told
    assert ledger.history(MODEL)[-1].decision == "waiting"
    assert aliases(tracker) == ("1", None, "5")
    assert answer_requests(tracker, ledger, never, approval=True) == ()


def test_alias_set_by_hand_is_set_back(tracker: Tracker, ledger: Ledger) -> None:
    """A version that does not pass loses the alias again, with a row and the reason told."""
    tracker.set_alias(MODEL, CHAMPION, "5")
    (told,) = answer_requests(tracker, ledger, never, approval=False)
    assert "set back to version 1" in told
    assert ledger.history(MODEL)[-1].decision == "set back"
    assert aliases(tracker)[0] == "1"
    assert answer_requests(tracker, ledger, never, approval=False) == ()


def test_alias_removed_by_hand_is_set_back(tracker: Tracker, ledger: Ledger) -> None:
    """Without its alias the champion is still the champion."""
    tracker.set_alias(MODEL, CHAMPION, None)
    (told,) = answer_requests(tracker, ledger, never, approval=False)
    assert "to none: set back to version 1" in told
    assert aliases(tracker)[0] == "1"


def test_refused_and_unchanged_attempts_have_their_rows(tracker: Tracker, ledger: Ledger) -> None:
    """A refused version stays challenger; asking for the champion itself is an attempt too."""
    assert submit(tracker, ledger, asked("3"), never, approval=False).decision == "refused"
    assert submit(tracker, ledger, asked("1"), never, approval=False).decision == "unchanged"
    assert [row.decision for row in ledger.history(MODEL)] == ["promoted", "refused", "unchanged"]
    assert aliases(tracker) == ("1", None, "3")


def test_insufficient_evidence_stays_challenger(tracker: Tracker, ledger: Ledger) -> None:
    """Too few images promote nothing and refuse nothing."""
    outcome = submit(tracker, ledger, asked("3"), too_few, approval=False)
    assert outcome.decision == "insufficient"
    assert aliases(tracker) == ("1", None, "3")


def test_promotion_that_waits_changes_nothing_until_approved(tracker: Tracker, ledger: Ledger) -> None:
    """With approval the version waits as challenger; approved, it is promoted by whoever approved."""
    outcome = submit(tracker, ledger, asked("2"), better_than_the_first, approval=True)
    assert outcome.decision == "waiting"
    assert aliases(tracker) == ("1", None, "2")
    assert outcome.judgement is not None
    done = record(tracker, ledger, replace(asked("2"), actor="bob"), outcome.judgement, approval=False)
    assert done.promoted
    assert ledger.history(MODEL)[-1].actor == "bob"


def test_version_that_lacks_images_is_not_taken_without_a_reason(tracker: Tracker, ledger: Ledger) -> None:
    """Whether or not promotions wait for a person: what was not shown needs words, the ledger keeps them."""
    for approval, decision in ((True, "waiting"), (False, "insufficient")):
        assert submit(tracker, ledger, asked("3"), too_few, approval=approval).decision == decision
        with pytest.raises(RegistryError, match="version 3 is not shown to be better: say why with --reason"):
            take(tracker, ledger, "3", "bob", " ")
        assert ledger.history(MODEL)[-1].decision == decision


def test_version_that_was_judged_last_is_approved_by_default(tracker: Tracker, ledger: Ledger) -> None:
    """And not the one that was heard of first."""
    for version in ("2", "3", "2"):
        submit(tracker, ledger, asked(version), too_few, approval=False)
    assert waiting(tracker.paths, None) == "2"
    with pytest.raises(RegistryError, match=r"version 4 does not wait for approval; waiting: 3, 2"):
        waiting(tracker.paths, "4")


def test_refused_version_comes_back_only_where_somebody_asks(tracker: Tracker, ledger: Ledger) -> None:
    """Who refuses says why, and the ledger keeps both; a training flow does not ask again each night."""
    by_itself = replace(asked("2"), is_asked=False)
    submit(tracker, ledger, by_itself, better_than_the_first, approval=True)
    with pytest.raises(RegistryError, match="version 2 is to be refused: say why"):
        turn_down(tracker, ledger, "2", "bob", "")
    assert turn_down(tracker, ledger, "2", "bob", "blind at night").decision == "refused"
    last = ledger.history(MODEL)[-1]
    assert (last.decision, last.actor, last.reason) == ("refused", "bob", "refused by bob: blind at night")
    with pytest.raises(RegistryError, match=r"version 2 does not wait .* it is refused"):
        turn_down(tracker, ledger, "2", "bob", "again")
    for _ in range(2):
        outcome = submit(tracker, ledger, by_itself, better_than_the_first, approval=True)
        assert outcome.decision == "refused"
        assert "bob refused it on" in outcome.sentence
        assert "(blind at night): `sightline promote 2 --reason …` asks for it all the same" in outcome.sentence
    assert submit(tracker, ledger, asked("2"), better_than_the_first, approval=True).decision == "waiting"
    assert submit(tracker, ledger, by_itself, better_than_the_first, approval=True).decision == "waiting"


def test_who_waits_is_told_what_became_of_the_version(tracker: Tracker, ledger: Ledger) -> None:
    """Nothing while it waits by the request of that run; else the ledger's last word, whoever wrote it."""
    by = replace(asked("2"), flow_run="one")
    submit(tracker, ledger, by, better_than_the_first, approval=True)
    submit(tracker, ledger, asked("3"), never, approval=True)
    assert decided(tracker.paths, "2", "one") is None
    submit(tracker, ledger, replace(by, flow_run="two"), better_than_the_first, approval=True)
    again = decided(tracker.paths, "2", "one")
    assert again is not None
    assert (again.decision, again.champion, decided(tracker.paths, "2", "two")) == ("waiting", "1", None)
    turn_down(tracker, ledger, "2", "bob", "blind at night")
    no = decided(tracker.paths, "2", "two")
    assert no is not None
    assert no.messages == ("version 2 waits here no more, by the ledger it is refused: refused by bob: blind at night",)
    submit(tracker, ledger, replace(asked("2"), override=REQUIRED), better_than_the_first, approval=False)
    yes = decided(tracker.paths, "2", "two")
    assert yes is not None
    assert (yes.decision, yes.champion) == ("promoted", "2")


def test_approval_of_a_stale_comparison_is_refused(tracker: Tracker, ledger: Ledger) -> None:
    """Where another version became champion while one waited, the gate has to run again."""
    waits = submit(tracker, ledger, asked("2"), better_than_the_first, approval=True)
    submit(tracker, ledger, asked("3"), better_than_the_first, approval=False)
    assert waits.judgement is not None
    with pytest.raises(Stale, match="compared with champion 1, but the champion is now 3"):
        record(tracker, ledger, asked("2"), waits.judgement, approval=False)


def test_previous_of_a_rolled_back_champion_is_the_one_before(ledger: Ledger) -> None:
    """After 1, 2, 3 and a rollback the champion is 2 and the next one back is 1, not 3."""
    (first,) = ledger.history(MODEL)
    for version, before in (("2", "1"), ("3", "2")):
        ledger.append(replace(first, version=version, champion_before=before, decision="promoted"))
    ledger.append(replace(first, version="2", champion_before="3", decision="rolled back"))
    assert (ledger.champion(MODEL), ledger.previous(MODEL)) == ("2", "1")
    ledger.append(replace(first, version="1", champion_before="2", decision="rolled back"))
    assert (ledger.champion(MODEL), ledger.previous(MODEL)) == ("1", None)


def test_rolled_back_version_comes_back_only_where_somebody_asks(tracker: Tracker, ledger: Ledger) -> None:
    """A training flow finds the same version again, each night; what was wrong with it no check has seen."""
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    (first, *_) = ledger.history(MODEL)
    row = replace(first, version="1", champion_before="2", decision="rolled back", reason="answers nonsense", at="")
    ledger.append(row)
    project(tracker, ledger)
    outcome = submit(tracker, ledger, replace(asked("2"), is_asked=False), better_than_the_first, approval=False)
    assert (outcome.decision, outcome.champion) == ("refused", "1")
    assert "(answers nonsense): `sightline promote 2 --reason …` asks for it all the same" in outcome.sentence
    assert aliases(tracker)[0] == "1"
    assert submit(tracker, ledger, replace(asked("3"), is_asked=False), better_than_the_first, approval=False).promoted
    ledger.append(replace(row, champion_before="3"))
    assert submit(tracker, ledger, asked("2"), better_than_the_first, approval=False).promoted
    assert submit(tracker, ledger, replace(asked("2"), is_asked=False), never, approval=False).decision == "unchanged"


def said(tracker: Tracker, version: str) -> tuple[str, str, str]:
    """MLflow's page of a version: its tags verdict and gate, and its description."""
    found = tracker.version(MODEL, version)
    return found.tags.get("verdict", ""), found.tags.get("gate", ""), str(found.description or "")


def test_mlflow_pages_follow_the_ledger(tracker: Tracker, ledger: Ledger) -> None:
    """Whoever makes a version champion or lets it go, its page says so before what the gate said of it then."""
    submit(tracker, ledger, asked("1"), better_than_the_first, approval=False)
    submit(tracker, ledger, asked("2"), too_few, approval=False)
    tracker.describe_version("2", "insufficient", "# Version 2: insufficient\n\nit waits\n")
    approved = replace(ledger.history(MODEL)[-1], decision=PROMOTED, reason="approved by ann: I looked\nat it")
    ledger.append(approved)
    project(tracker, ledger)
    verdict, gate, page = said(tracker, "2")
    assert (verdict, gate) == ("promoted", "approved by ann: I looked\nat it")
    assert page.startswith("**Now:** champion (20")
    assert page.endswith(": approved by ann: I looked at it\n\n# Version 2: insufficient\n\nit waits\n")
    assert said(tracker, "1")[2].startswith("**Now:** no longer champion (20")
    back = replace(
        approved, version="1", champion_before="2", decision=ROLLED_BACK, reason="too slow", bundle="bundle 1"
    )
    ledger.append(back)
    project(tracker, ledger)
    verdict, _, page = said(tracker, "2")
    assert (verdict, page.count("**Now:**")) == ("rolled back", 1)
    assert page.startswith("**Now:** rolled back from (20")
    assert ", for version 1): too slow\n\n# Version 2: insufficient" in page
    assert said(tracker, "1")[:2] == ("promoted", "too slow")
    assert said(tracker, "1")[2].startswith("**Now:** champion (20")
    assert standings(ledger.history(MODEL)) == {"1": "champion", "2": "rolled back from"}
    submit(tracker, ledger, asked("3"), too_few, approval=True)
    turn_down(tracker, ledger, "3", "ann", "it is blind at night")
    assert said(tracker, "3")[0] == "refused"
    assert said(tracker, "3")[2].startswith("**Now:** refused (20")


def test_rollback_needs_an_earlier_champion(tracker: Tracker, ledger: Ledger) -> None:
    """The first champion has none before it."""
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback(tracker, ledger, "broken")


def test_rollback_to_a_version_that_does_not_load_changes_nothing(tracker: Tracker, ledger: Ledger) -> None:
    """The alias moves only after the old version has answered."""
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    with pytest.raises(RegistryError):
        rollback(tracker, ledger, "broken")
    assert aliases(tracker)[:2] == ("2", "1")
    assert ledger.champion(MODEL) == "2"


def test_best_champion_is_the_one_that_was_right_most_often(tracker: Tracker, ledger: Ledger) -> None:
    """Among those that were champion, on this release; a refused version does not count."""
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    submit(tracker, ledger, asked("3"), never, approval=False)
    assert best_champion(ledger, MODEL, "r1") == "2"
    assert best_champion(ledger, MODEL, "another") is None


def test_best_champion_is_not_forgotten_when_the_release_grows(tracker: Tracker, ledger: Ledger) -> None:
    """Else each growth would let the next one be a point worse again."""
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    assert best_champion(ledger, MODEL, "r1+2") == "2"
    assert best_champion(ledger, MODEL, "r12") is None


def test_ledger_of_an_earlier_release_is_mended(tracker: Tracker, ledger: Ledger) -> None:
    """Aliases of a ledger without marks are set by its rows, not taken for requests."""
    with ledger._engine.begin() as connection:
        connection.execute(sa.text("delete from projected"))
    tracker.set_alias(MODEL, CHAMPION, "4")
    assert answer_requests(tracker, ledger, never, approval=False) == ()
    assert aliases(tracker)[0] == "1"
    project(tracker, ledger)


def test_champions_number_on_another_bundle_is_refused(tracker: Tracker, ledger: Ledger) -> None:
    """Registered anew under the champion's number it is neither the champion nor judged, and gets no alias."""
    start_anew(tracker, "worse")
    outcome = submit(tracker, ledger, asked("1"), better_than_the_first, approval=False)
    assert outcome.decision == "refused"
    assert "another bundle (worse" in outcome.sentence
    assert [(row.decision, row.bundle) for row in ledger.history(MODEL)] == [
        ("promoted", "bundle 1"),
        ("refused", "worse"),
    ]
    assert aliases(tracker) == (None, None, None)
    assert ledger.standing(MODEL).champion == Identity("1", "bundle 1", "w")


def test_champions_bundle_registered_anew_is_the_champion(tracker: Tracker, ledger: Ledger) -> None:
    """The same bundle under the same number is the champion, and gets its alias back."""
    start_anew(tracker, "bundle 1")
    assert submit(tracker, ledger, asked("1"), never, approval=False).decision == "unchanged"
    assert aliases(tracker)[0] == "1"


def test_alias_set_by_hand_on_a_stranger_is_taken_away(tracker: Tracker, ledger: Ledger) -> None:
    """A version with the champion's number that is another does not keep the alias, whatever the gate would say."""
    start_anew(tracker, "worse")
    tracker.set_alias(MODEL, CHAMPION, "1")
    (told,) = answer_requests(tracker, ledger, lambda request, _: judged(request, None, "passed"), approval=False)
    assert "another bundle" in told
    assert "set back to none" in told
    assert aliases(tracker)[0] is None
    assert answer_requests(tracker, ledger, never, approval=False) == ()
    assert [row.decision for row in ledger.history(MODEL)] == ["promoted", "set back"]


def test_champion_deleted_by_hand_leaves_no_alias_and_no_request(tracker: Tracker, ledger: Ledger) -> None:
    """The ledger goes on to know the champion; the next one is judged against it and gets the alias."""
    tracker.client.delete_model_version(MODEL, "1")
    assert answer_requests(tracker, ledger, never, approval=False) == ()
    assert aliases(tracker)[0] is None
    assert submit(tracker, ledger, asked("2"), better_than_the_first, approval=False).promoted
    assert aliases(tracker)[:2] == ("2", None)


def test_stranger_is_not_approved(tracker: Tracker, ledger: Ledger) -> None:
    """Where another version took the number of one that waits, the gate has to run again."""
    waits = submit(tracker, ledger, asked("2"), better_than_the_first, approval=True)
    assert waits.judgement is not None
    start_anew(tracker, "bundle 1", "worse")
    with pytest.raises(Stale, match="no longer the one that was judged"):
        record(tracker, ledger, asked("2"), replace(waits.judgement, bundle="bundle 2"), approval=False)
    assert ledger.champion(MODEL) == "1"


def test_rollback_to_a_stranger_is_refused(tracker: Tracker, ledger: Ledger) -> None:
    """What took the previous champion's number is not loaded."""
    submit(tracker, ledger, asked("2"), better_than_the_first, approval=False)
    start_anew(tracker, "worse", "bundle 2")
    with pytest.raises(RegistryError, match="another bundle"):
        rollback(tracker, ledger, "broken")
    assert ledger.champion(MODEL) == "2"


def test_champion_of_an_old_ledger_is_known_by_its_weights(tracker: Tracker, ledger: Ledger) -> None:
    """Rows without a bundle name the weights in their evidence."""
    with ledger._engine.begin() as connection:
        connection.execute(sa.text("update promotions set bundle = null, seal = null"))
    assert submit(tracker, ledger, asked("1"), never, approval=False).decision == "unchanged"
    tracker.tag_version(MODEL, "1", {"weights": "others"})
    assert submit(tracker, ledger, asked("1"), never, approval=False).decision == "refused"
