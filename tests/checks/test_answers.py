"""Every notebook's checks: the solution and its likes pass, starters and wrong answers do not."""

import doctest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import beartype
import jaxtyping
import pytest

from mechcourse.checks import CheckFailed, CheckResult, NotAttempted, evaluate
from mechcourse.checks._compare import Comparisons
from tests.checks.harness import Case, Elsewhere, Here, Notebook, bench, notebooks

Bench = Here | Elsewhere
LIBRARY = "this is what the exercise asks you to write"  # said of an answer that calls the library
NOTEBOOKS = notebooks()
EXERCISES = [(notebook, exercise) for notebook in NOTEBOOKS for exercise in notebook.exercises]
MUTANTS = [(notebook, case) for notebook in NOTEBOOKS for case in notebook.cases("mutants")[1]]
RIGHT = [(notebook, case) for notebook in NOTEBOOKS for case in notebook.cases("alternatives")[1]]


@pytest.fixture(scope="module")
def benches() -> Iterator[dict[tuple[str, str, str], Bench]]:
    """Every bench that a test has asked for: a worker takes seconds to start, so they are kept."""
    kept: dict[tuple[str, str, str], Bench] = {}
    yield kept
    for one in kept.values():
        one.close()


@pytest.fixture(params=["here", "elsewhere"])
def place(request: pytest.FixtureRequest) -> str:
    """Where answers run: in this process, or in a grading worker behind a proxy."""
    return request.param


def get(
    kept: dict[tuple[str, str, str], Bench], notebook: Notebook, kind: str, place: str
) -> Bench:
    key = (str(notebook), kind, place)
    if key not in kept:
        kept[key] = bench(notebook, kind, place)
    return kept[key]


def judge(notebook: Notebook, case: Case, one: Bench, seed: int = 0) -> CheckResult:
    """The finding of the first of the exercise's checks that does not pass, or of the last."""
    for check in notebook.exercises[case.exercise]:
        result = evaluate(check, one.answer(case.name), seed=seed)
        if result.status != "correct":
            break
    return result


def ids(pair: tuple[Notebook, object]) -> str:
    return f"{pair[0]}-{pair[1]}"


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_solution_passes(
    pair: tuple[Notebook, str], place: str, benches: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Comparisons, "audit", True)  # inputs must expose each named misconception
    notebook, exercise = pair
    one = get(benches, notebook, "alternatives", place)
    for seed in range(10 if place == "here" else 2):
        result = judge(notebook, Case(exercise, exercise, ""), one, seed)
        assert result.status == "correct", f"seed {seed}: {result.message}"
        assert_readable(result)


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_check_prints_once_and_returns_none(
    pair: tuple[Notebook, str], benches: dict, capfd: pytest.CaptureFixture[str]
) -> None:
    notebook, exercise = pair
    one = get(benches, notebook, "alternatives", "here")
    for check in notebook.exercises[exercise]:
        capfd.readouterr()
        assert check(one.answer(exercise)) is None  # a number would be partial credit in nbgrader
        out, err = capfd.readouterr()
        assert out.count("\n") == 1 and f"{exercise} is correct" in out
        assert not err  # nbgrader gives 0 for a test cell that writes there


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_solution_keeps_its_signature(pair: tuple[Notebook, str], benches: dict) -> None:
    notebook, exercise = pair
    answer = get(benches, notebook, "alternatives", "here").answer(exercise)
    typed = jaxtyping.jaxtyped(typechecker=beartype.beartype)(answer)
    for check in notebook.exercises[exercise]:
        result = evaluate(check, typed)
        assert result.status == "correct", result.message


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_starter_is_not_attempted(pair: tuple[Notebook, str], place: str, benches: dict) -> None:
    notebook, exercise = pair
    answer = get(benches, notebook, "stubs", place).answer(exercise)
    for check in notebook.exercises[exercise]:
        with pytest.raises(NotAttempted, match=f"^{exercise} is not attempted yet.$"):
            check(answer)


def placed() -> Iterator[Any]:
    """Each wrong answer here and in a worker, where of those that fail here two thirds can wait.

    What a check says hangs on what comes back, and a worker gives back the same: every third shows
    it. `make verify` tries the others there, too.
    """
    for i, pair in enumerate(MUTANTS):
        only_there = pair[1].where == "worker"
        if not only_there:
            yield pytest.param(pair, "here", id=f"here-{ids(pair)}")
        marks = [] if only_there or i % 3 == 0 else [pytest.mark.every]
        yield pytest.param(pair, "elsewhere", id=f"elsewhere-{ids(pair)}", marks=marks)


@pytest.mark.parametrize(("pair", "place"), sorted(placed(), key=lambda one: str(one.id)))
def test_wrong_answer_fails_in_the_right_words(
    pair: tuple[Notebook, Case], place: str, benches: dict
) -> None:
    notebook, case = pair
    result = judge(notebook, case, get(benches, notebook, "mutants", place))
    assert result.status in ("wrong", "error"), result.message
    assert case.expects in result.message
    assert_readable(result)
    if result.status == "wrong":
        assert result.property and result.got, "a message says what should hold and what came back"
    with pytest.raises(CheckFailed):
        raise CheckFailed(result)


@pytest.mark.parametrize("pair", RIGHT, ids=ids)
def test_other_right_answer_passes(
    pair: tuple[Notebook, Case], place: str, benches: dict, capfd: pytest.CaptureFixture[str]
) -> None:
    notebook, case = pair
    one = get(benches, notebook, "alternatives", place)
    for seed in range(5 if place == "here" else 2):
        result = judge(notebook, case, one, seed)
        assert result.status == "correct", f"seed {seed}: {result.message}"
    assert not capfd.readouterr().err


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_there_are_enough_cases(pair: tuple[Notebook, str], benches: dict) -> None:
    notebook, exercise = pair
    mutants = [case for case in notebook.cases("mutants")[1] if case.exercise == exercise]
    assert len(mutants) >= 7
    assert sum(case.exercise == exercise for case in notebook.cases("alternatives")[1]) >= 3
    one = get(benches, notebook, "mutants", "here")
    findings = [judge(notebook, case, one) for case in mutants if case.where == "both"]
    said = {(found.property, found.misconception) for found in findings}
    assert len(said) >= 0.6 * len(findings), f"the same is said too often: {said}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_cases_and_checks_belong_together(notebook: Notebook) -> None:
    checks = {name for name in vars(notebook.module) if name.startswith("check_")}
    assert checks == {check.__name__ for one in notebook.exercises.values() for check in one}
    cases = notebook.cases("mutants")[1] + notebook.cases("alternatives")[1]
    assert {case.exercise for case in cases} == set(notebook.exercises)
    assert notebook.released.teaches == notebook.module.TEACHES


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_some_mutants_call_the_library(notebook: Notebook) -> None:
    mutants = notebook.cases("mutants")[1]
    assert bool(notebook.released.teaches) == any(LIBRARY in case.expects for case in mutants)


@pytest.mark.parametrize("pair", EXERCISES, ids=ids)
def test_docstring_example_is_true(
    pair: tuple[Notebook, str], benches: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook, exercise = pair
    one = get(benches, notebook, "alternatives", "here")
    module = ModuleType(exercise)
    module.__dict__.update(one.names)
    tests = doctest.DocTestFinder(recurse=False).find(
        one.answer(exercise), exercise, module=False, globs=dict(one.names)
    )
    assert tests and tests[0].examples, "every exercise has a worked example"
    failed = doctest.DocTestRunner().run(tests[0]).failed
    assert not failed, capsys.readouterr().out


def assert_readable(result: CheckResult) -> None:
    """A message is one paragraph of plain sentences."""
    message = result.message
    assert "\n" not in message and "  " not in message
    assert message[-1] in ".!?)" or result.printed
    assert ".." not in message.replace("...", "") and " ." not in message.replace(" ...", "")
