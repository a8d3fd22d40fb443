"""The comparisons that checks make, and their words."""

import math
import re

import pytest
import torch
from torch import Tensor

from mechcourse.checks import CheckFailed
from mechcourse.checks._compare import Comparisons
from mechcourse.checks._symptoms import symptom

WANT = torch.tensor([[1.0, -2.0, 3.5], [0.5, 4.0, -1.0]])


@pytest.fixture
def held() -> Comparisons:
    return Comparisons("an_exercise")


def message(held: Comparisons, got: object, want: object = WANT, **more: object) -> str:
    with pytest.raises(CheckFailed) as failed:
        held.expect_close(got, want, property="it is right", **more)
    assert not held.held
    result = failed.value.result
    assert (result.exercise, result.status, result.property) == (
        "an_exercise",
        "wrong",
        "it is right",
    )
    return result.message


@pytest.mark.parametrize(
    "got",
    [WANT, WANT.double(), WANT.T.contiguous().T, WANT.tolist(), WANT + 1e-6, tuple(WANT.tolist())],
)
def test_what_is_close_is_held(held: Comparisons, got: object) -> None:
    value = held.expect_close(got, WANT, property="it is right")
    assert value.dtype == torch.float64 and held.held == ["it is right"]


@pytest.mark.parametrize(
    "got", [2, 2.0, torch.tensor(2.0), torch.tensor(2), torch.tensor(2.0).half()]
)
def test_a_number_may_be_a_tensor(held: Comparisons, got: object) -> None:
    held.expect_close(got, 2.0, property="it is two")


def test_infinities_and_nans_that_are_expected(held: Comparisons) -> None:
    want = torch.tensor([math.inf, -math.inf, math.nan, 1.0])
    held.expect_close(want.clone(), want, property="it is right")
    assert "Expected -inf at [1]. Got inf." in message(Comparisons("an_exercise"), want.abs(), want)


def test_the_worst_place_is_named(held: Comparisons) -> None:
    wrong = WANT.clone()
    wrong[1, 2], wrong[0, 0] = 7.0, 1.5
    said = message(held, wrong, dims="batch pos")
    assert "Expected -1 at [batch 1, pos 2]. Got 7." in said
    assert "Expected -1 at [1, 2]. Got 7." in message(held, wrong)


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (WANT.T, "two axes are in each other's place. Expected shape [row column] = [2, 3]. Got"),
        (WANT[0], "Expected shape [row column] = [2, 3]. Got shape [3]."),
        ([WANT[0], WANT[1]], "torch.stack or torch.cat makes one tensor of several."),
        ("2", "Expected a tensor of shape [row column] = [2, 3]. Got a str."),
        ({"a": WANT}, "Got a dict."),
        ([[1.0], [2.0, 3.0]], "Got a list that is not rectangular."),
        (WANT.to(torch.complex64), "Expected real values. Got dtype torch.complex64."),
    ],
)
def test_what_is_no_such_tensor(held: Comparisons, got: object, words: str) -> None:
    assert words in message(held, got, dims="row column")


def test_what_is_no_number(held: Comparisons) -> None:
    assert "Expected a number. Got a str." in message(held, "2", 2.0)
    assert "Expected a single number. Got shape [1]." in message(held, torch.ones(1), 2.0)


def test_booleans(held: Comparisons) -> None:
    want = torch.tensor([True, False])
    held.expect_close(want, want, property="a mask")
    assert "Expected False at [1]. Got True." in message(
        Comparisons("an_exercise"), ~want | want, want
    )


def test_a_known_mistake_is_named(held: Comparisons) -> None:
    named = {"it was doubled.": 2 * WANT, "it was squared.": lambda: WANT**2}
    assert "Probably: it was doubled." in message(held, 2 * WANT, misconceptions=named)
    assert "Probably: it was squared." in message(held, WANT**2, misconceptions=named)
    assert "Probably: who knows." in message(held, WANT**3, otherwise="who knows.")
    assert "Probably" not in message(held, WANT**3, misconceptions=named)


def test_audit_finds_inputs_that_hide_a_mistake(
    held: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.expect_close(WANT, WANT, property="it is right", misconceptions={"hidden.": WANT.clone()})
    monkeypatch.setattr(Comparisons, "audit", True)
    with pytest.raises(AssertionError, match="do not expose: hidden"):
        held.expect_close(
            WANT, WANT, property="it is right", misconceptions={"hidden.": WANT + 1e-6}
        )
    held.expect_close(WANT, WANT, property="it is right", misconceptions={"shown.": 2 * WANT})


CUBE = torch.arange(24.0).reshape(2, 3, 4).sin() + 1.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (CUBE.clone().index_fill_(0, torch.tensor(0), torch.nan), "12 of 24 values are NaN"),
        (CUBE.clone().index_fill_(1, torch.tensor(0), torch.inf), "8 of 24 values are infinite"),
        (0 * CUBE, "every value is 0"),
        (-CUBE, "the sign is the wrong way round"),
        (torch.full_like(CUBE, 0.25), "every value is the same, 0.25"),
        (3 * CUBE, "every value is 3 times what it should be"),
        (CUBE + 2, "every value is off by the same 2"),
        (CUBE.flip(1), "the values along pos are in another order"),
        (CUBE[:, [1, 2, 0]], "the values along pos are in another order"),
        (CUBE[:1].expand_as(CUBE), "every batch got what belongs to batch 0"),
        (CUBE.mean(0, keepdim=True).expand_as(CUBE), "it is split evenly over batch"),
        (CUBE[..., 1:2].expand_as(CUBE), "it is the same for every head"),
        (torch.cat([CUBE.sum(0, keepdim=True), 0 * CUBE[1:]]), "all of it is given to batch 0"),
        (CUBE + torch.tensor([1.0, -1.0])[:, None, None], "summed over batch it is right"),
        (CUBE * torch.tensor([1.0, 1.0, 9.0, 2.0]), "it is right where head is 0, 1 and wrong"),
        (CUBE.exp(), ""),
    ],
)
def test_symptoms(wrong: Tensor, words: str) -> None:
    said = symptom(wrong.double(), CUBE.double(), "batch pos head")
    assert words in said and bool(words) == bool(said)
    assert re.fullmatch(r"(.*\.)?", said)


def test_symptoms_of_a_square_and_of_small_things() -> None:
    square = torch.arange(9.0).reshape(3, 3).cos()
    assert symptom(square.T, square, "query key") == "query and key are in each other's place."
    assert symptom(square.T, square) == "axis 0 and axis 1 are in each other's place."
    assert symptom(torch.tensor(1.0), torch.tensor(2.0)) == ""
    assert symptom(torch.tensor(-2.0), torch.tensor(2.0)) == "the sign is the wrong way round."
    assert symptom(torch.zeros(0), torch.zeros(0)) == ""


def test_tuples(held: Comparisons) -> None:
    assert held.expect_tuple((1, 2), ("a", "b")) == held.expect_tuple([1, 2], ("a", "b")) == [1, 2]
    for got, words in ((torch.ones(2), "one tensor"), (3, "a int"), ((1,), "1 values")):
        with pytest.raises(CheckFailed, match=re.escape(f"Expected a tuple (a, b). Got {words}.")):
            held.expect_tuple(got, ("a", "b"))


def test_dicts(held: Comparisons) -> None:
    assert held.expect_dict({"b": 1, "a": 2}, ["a", "b"]) == {"a": 2, "b": 1}
    with pytest.raises(CheckFailed, match=r"Expected a dict. Got a list."):
        held.expect_dict([], ["a"])
    with pytest.raises(CheckFailed, match=r"Expected the keys a, b. Got none called a; also 3, c."):
        held.expect_dict({"b": 1, "c": 2, 3: 4}, ["a", "b"])


def test_expect(held: Comparisons) -> None:
    for true in (True, torch.tensor(True), torch.ones(3).all()):
        held.expect(true, property="it is so")
    assert held.held == ["it is so"]
    with pytest.raises(
        CheckFailed, match=r"What should hold: it is so. Probably: not. Expected 1. Got 0."
    ):
        held.expect(False, property="it is so", misconception="not.", expected="1", got="0")
