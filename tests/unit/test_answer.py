"""How an answer is called: what reaches it, what is taken from it, and what leaks out."""

import inspect
import logging
import sys
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mechcourse import models, progress
from mechcourse.checks import Answer, CheckFailed, NotAttempted, check, evaluate
from mechcourse.checks._result import AnswerRaised
from mechcourse.checks.ch01_attention import residual_stream

TEACHES = ("mechcourse.models.Transformer.forward",)
Pair = namedtuple("Pair", ["a", "b"])


@check
def check_double(answer: Answer, *, seed: int = 0) -> None:
    """Twice what it is given."""
    x = torch.arange(3.0) + seed
    answer.expect_close(answer(x), 2 * x, property="every number is doubled")


@check
def check_double__scaled(answer: Answer, *, seed: int = 0) -> None:
    """A second part of the same exercise."""
    answer.expect_close(answer(torch.ones(2)), torch.full((2,), 2.0), property="ones become twos")


def returned(value: Any) -> Any:
    """What a check gets of an answer that returns this."""
    return Answer(lambda: value, "an_exercise", ())()


def failure(answer: Callable[..., Any]) -> str:
    result = evaluate(check_double, answer)
    assert result.status in ("wrong", "error")
    assert "\n" not in result.message
    return result.message


def test_a_right_answer(capfd: pytest.CaptureFixture[str]) -> None:
    assert check_double(lambda x: 2 * x) is None
    out, err = capfd.readouterr()
    assert out == "double is correct. What was held: every number is doubled.\n" and not err
    second = evaluate(check_double__scaled, lambda x: x + x)
    assert (second.exercise, second.part, second.parts) == ("double", "scaled", 2)


def test_a_check_shows_its_own_signature_only() -> None:
    assert str(inspect.signature(check_double)) == "(answer, *, seed=0)"
    assert check_double.__doc__ == "Twice what it is given."


def test_a_seed_makes_other_inputs() -> None:
    zero = lambda x: torch.tensor([0.0, 2.0, 4.0])  # noqa: E731
    assert evaluate(check_double, zero).status == "correct"
    assert evaluate(check_double, zero, seed=1).status == "wrong"


def test_a_check_that_holds_nothing_passes_nothing() -> None:
    @check
    def check_nothing(answer: Answer, *, seed: int = 0) -> None:
        answer(seed)

    with pytest.raises(RuntimeError, match="held nothing"):
        check_nothing(lambda seed: seed)


def test_output_and_warnings_are_captured(capfd: pytest.CaptureFixture[str]) -> None:
    def noisy(x: torch.Tensor) -> torch.Tensor:
        print("to the learner")
        print("to stderr", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        logging.getLogger("loud").warning("logged")
        warnings.simplefilter("error")
        return 2 * x

    filters = list(warnings.filters)
    check_double(noisy)
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and "to the learner" not in out and not err
    assert warnings.filters == filters
    wrong = failure(lambda x: print("x is\n", x) or x)
    assert wrong.endswith("Your code printed: x is tensor([0., 1., 2.])")


def test_much_output_is_cut() -> None:
    assert len(failure(lambda x: print("word " * 10_000) or x)) < 1000


def test_arguments_are_copies() -> None:
    given = torch.ones(2)

    def scribble(x: torch.Tensor, *, deep: list) -> torch.Tensor:
        deep[0].zero_()
        return x.zero_()

    with pytest.raises(CheckFailed, match="wrote into what was passed in"):
        Answer(scribble, "an_exercise", ())(given, deep=[given])
    assert given.tolist() == [1, 1], "the check's own inputs must not change"


def test_random_state_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    check_double(lambda x: torch.manual_seed(3) and 2 * x + 0 * torch.rand(3))
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((1, 1), (True, True), ("x", "x"), (1j, 1j), ([1, (2.0, {"k": 3})], [1, (2.0, {"k": 3})])),
        *((np.float64(1.5), 1.5), (np.int32(3), 3), (np.bool_(True), True)),
        *((OrderedDict(b=1, a=2), {"b": 1, "a": 2}), (Pair(1, 2), (1, 2))),
    ],
)
def test_plain_values(value: object, expected: object) -> None:
    got = returned(value)
    assert got == expected and type(got) is type(expected)


def test_tensors_become_plain_ones() -> None:
    class Liar(torch.Tensor):
        def __eq__(self, _other: object) -> torch.Tensor:
            return torch.tensor(True)

    base = torch.arange(6.0).reshape(2, 3)
    with torch.inference_mode():
        inferred = base * 1
    for value in (
        *(base, base.T.contiguous().T, base.clone().requires_grad_() * 1, inferred),
        *(torch.nn.Parameter(base), base.as_subclass(Liar), base.to_sparse(), base.numpy()),
        *(
            base.numpy()[:, ::-1][:, ::-1],
            np.asfortranarray(base.numpy()),
            base.numpy().astype(">f4"),
        ),
    ):
        got = returned(value)
        assert type(got) is torch.Tensor and not got.requires_grad and not got.is_inference()
        assert got.tolist() == base.tolist()


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, (x for x in ()), lambda: 1, torch.float32, b"x", np.array(["x"])]
)
def test_other_objects_are_refused(value: object) -> None:
    assert f"Got an object of type {type(value).__name__}." in failure(lambda x: value)


def test_an_object_that_equals_everything_is_refused() -> None:
    class Chameleon:
        def __eq__(self, _other: object) -> bool:
            return True

        def __getattr__(self, _name: str) -> Any:
            return lambda *args, **kwargs: self

    assert "Got an object of type Chameleon." in failure(lambda x: Chameleon())


def test_a_missing_return() -> None:
    assert "None, or a `return` is missing. Got None." in failure(lambda x: None)


def test_none_where_it_may_be_the_answer() -> None:
    assert Answer(lambda: None, "none", TEACHES).or_none() is None


def test_what_is_wrong_with_an_object_is_said() -> None:
    with pytest.raises(CheckFailed, match="a Python set has no order"):
        Answer(lambda: {1, 2}, "set", TEACHES)()


def test_an_error_names_the_learners_line() -> None:
    def wrong(x: torch.Tensor) -> torch.Tensor:
        return x @ torch.ones(2)

    said = failure(wrong)
    assert "RuntimeError: " in said and "of wrong: return x @ torch.ones(2)" in said
    assert "A cell above was not run" in failure(lambda x: never_defined)
    assert "SystemExit" in failure(lambda x: sys.exit("bye"))
    assert "RecursionError" in failure(lambda x: wrong_for_ever(x))


def wrong_for_ever(x: torch.Tensor) -> torch.Tensor:
    return wrong_for_ever(x)


def test_a_list_that_holds_itself() -> None:
    own: list = []
    own.append(own)
    assert "RecursionError" in failure(lambda x: own)


def test_an_interrupt_is_the_learners_own() -> None:
    def interrupted(x: torch.Tensor) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_double(interrupted)


def double(x: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError


def calls_double(x: torch.Tensor) -> torch.Tensor:
    return double(x)


def test_not_attempted() -> None:
    with pytest.raises(NotAttempted, match=r"^double is not attempted yet\.$"):
        check_double(double)
    with pytest.raises(NotAttempted, match="It calls half, which is not written yet"):
        check_double(lambda x: half(x))
    with pytest.raises(NotAttempted, match=r"^double is not attempted yet\.$"):
        check_double(calls_double)


def half(x: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError


def test_pytorchs_own_not_implemented_is_an_error() -> None:
    said = failure(lambda x: x.long().softmax(-1))
    assert "not implemented for 'Long'" in said and "not attempted" not in said


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_proxys_failure(status: str) -> None:
    def proxy(_x: torch.Tensor) -> None:
        raise AnswerRaised("ValueError", "no", "in line 2 of double: x", status)

    result = evaluate(check_double, proxy)
    assert result.status == status
    assert "Got ValueError: no, in line 2 of double: x." in result.message


def test_what_a_notebook_teaches_is_taken_away_and_given_back() -> None:
    model = models.Transformer(models.TransformerConfig(0, 2, 1, 2, 3, 4))
    tokens, forward = torch.tensor([[1]]), models.Transformer.forward
    said = failure(lambda x: model(tokens))
    assert "TaughtHere" in said and "this is what the exercise asks you to write" in said
    assert models.Transformer.forward is forward and model(tokens).shape == (1, 1, 3)
    for name in residual_stream.TEACHES:
        package, module, *parts = name.split(".")
        home = import_module(f"{package}.{module}")
        owner = home if len(parts) == 1 else getattr(home, parts[0])
        assert callable(vars(owner)[parts[-1]])


def test_float64_as_the_default_changes_no_verdict() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        result = evaluate(residual_stream.check_bigram_logits, lambda W_E, W_U: W_E @ W_U)
        assert result.status == "correct", result.message
    finally:
        torch.set_default_dtype(torch.float32)


def test_findings_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / progress.RECORD_FOLDER).mkdir()
    (tmp_path / "ch01_attention").mkdir()
    monkeypatch.chdir(tmp_path / "ch01_attention")
    with pytest.raises(CheckFailed):
        check_double(lambda x: x)
    check_double(lambda x: 2 * x)
    with pytest.raises(NotAttempted):
        check_double(double)
    entries = progress.entries("checks")
    assert [entry["status"] for entry in entries] == ["wrong", "correct", "not attempted"]
    assert {entry["chapter"] for entry in entries} == {"ch01_attention"}
    assert entries[0]["property"] == "every number is doubled" and entries[1]["held"]
