"""What learners' answers are given, whatever they are and whatever happened to their cells."""

from typing import Any

import pytest

pytestmark = pytest.mark.grading
FULL = {"double": 2, "total": 3, "shout": 1, "logits": 3}

# Answers to `shout`, the status that each is given, and words of its message.
BAD = [
    ("def shout(text, times=1):\n    return text * times", "wrong", "Expected AAA. Got aaa."),
    ("def shout(text, times=1):\n    text.upper()", "wrong", "a `return` is missing."),
    ("def shout(text, times=1):\n    return 1 / 0", "error", "in line 2 of shout_"),
    ("def shout(text, times=1:\n    return 1", "error", "SyntaxError"),
    ("", "not attempted", "is empty"),
    ("# later\n", "not attempted", "is empty"),
    ("loud = 1", "error", "defines no shout_"),
    ("shout = 5", "error", "TypeError"),
    ("raise ValueError('no')", "error", "in line 1 of the cell shout_"),
    ("def shout(text, times=1):\n    while True: pass", "timeout", "after 5 seconds"),
    ("while True: pass", "timeout", "after 5 seconds"),
    ("def shout(text, times=1):\n    import os; os._exit(3)", "error", "exit status 3"),
    ("import os; os.kill(os.getpid(), 9)", "error", "SIGKILL"),
    ("import sys\nsys.exit(0)", "error", "SystemExit"),
    ("def shout(text, times=1):\n    exit()", "error", ""),
    ("def shout(text, times=1):\n    return input()", "error", "EOFError"),
    ("def shout(text, times=1):\n    raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
    ("def shout(text, times=1):\n    return shout(text)", "error", "RecursionError"),
    ("def shout(text, times=1):\n    return lambda: 1", "wrong", "of type function"),
    ("def shout(text, times=1):\n    return [None]", "wrong", "None"),
    ("def shout(text, times=1):\n    return 'x' * 10**8", "wrong", "too large"),
    ("def shout(text, times=1):\n    return torch.ones(10**12)", "error", "RuntimeError"),
    ("def shout(text, times=1):\n    return bytearray(10**11)", "error", "MemoryError"),
    (
        "def shout(text, times=1):\n    x = []\n    x.append(x)\n    return x",
        "error",
        "RecursionError",
    ),
    (
        "class E(Exception):\n    def __str__(self): return 1 / 0\n"
        "def shout(text, times=1):\n    raise E",
        "error",
        "Got E",
    ),
]
GOOD = [
    "import warnings, sys\ndef shout(text, times=1):\n    warnings.warn('x')\n"
    "    print('x' * 10**6, file=sys.stderr)\n    return text.upper() * times",
    "%matplotlib inline\ndef shout(text, times=1):\n    return text.upper() * times\n!ls",
    "%%time\ndef shout(text, times=1):\n    return text.upper() * times",
    "def shout(text, times=1):\n    return text.upper() * times\nshout(1 / 0)",
    "from mechcourse.checks.ch01_attention.residual_stream import check_it\n"
    "def shout(text, times=1):\n    return text.upper() * times",
    "import numpy as np\ndef shout(text, times=1):\n    return np.str_(text.upper() * times)",
    "class Shout:\n    def __call__(self, text, times): return text.upper() * times\n"
    "shout = Shout()\ndisplay(shout)",
    "import os, sys\ndef shout(text, times=1):\n    sys.stdout.close(); os.close(1)\n"
    "    return text.upper() * times",
]


def scores(rows: dict[str, Any]) -> dict[str, float]:
    return {name: row.score for name, row in rows.items()}


def test_right_answers(course: Any) -> None:
    rows = course.rows()
    assert scores(rows) == FULL
    assert {row.status for row in rows.values()} == {"correct"}
    assert "every number is doubled" in rows["double"].message
    assert rows["double"].learner == "work"
    assert all(0 < row.seconds < 10 for row in rows.values())


def test_starters(course: Any) -> None:
    rows = course.rows(course.starters())
    assert {row.status for row in rows.values()} == {"not attempted"}
    assert sum(scores(rows).values()) == 0


def test_a_bad_answer_costs_its_own_points_only(course: Any) -> None:
    right = "def shout(text, times=1):\n    return text.upper() * times"
    rows = course.each([source for bad, _, _ in BAD for source in (bad, right)])
    for row, (source, status, words) in zip(rows[::2], BAD, strict=True):
        assert (row.status, row.score) == (status, 0), (source, row)
        assert words in row.message, source
    for row in rows[1::2]:
        assert (row.status, row.score) == ("correct", 1), row


def test_right_answers_in_other_styles(course: Any) -> None:
    for row, source in zip(course.each(GOOD), GOOD, strict=True):
        assert row.status == "correct", (source, row)


def test_part_of_an_exercise(course: Any) -> None:
    rows = course.rows({"total": "def total(numbers):\n    return 7.0"})
    assert (rows["total"].score, rows["total"].status) == (1, "partly correct")
    assert "nothing adds up to 0" in rows["total"].message


def test_an_answer_that_needs_an_unwritten_one(course: Any) -> None:
    rows = course.rows(course.starters("double"))
    assert rows["total"].status == "partly correct"  # total of nothing needs no double
    assert "It calls double, which is not written yet" in rows["total"].message


def test_what_is_printed_is_told(course: Any) -> None:
    rows = course.rows({"shout": "def shout(text, times=1):\n    print('\\x1b[31mhe\\x07llo')"})
    assert "Your code printed:" in rows["shout"].message and "llo" in rows["shout"].message
    assert all(c.isprintable() for c in rows["shout"].message)


def test_the_taught_function_scores_nothing(course: Any) -> None:
    rows = course.rows({"logits": "def logits(model, tokens):\n    return model(tokens)"})
    assert (rows["logits"].score, rows["logits"].status) == (0, "error")
    assert "this is what the exercise asks you to write." in rows["logits"].message


def test_a_missing_answer_cell(course: Any) -> None:
    def remove(cells: list[dict[str, Any]]) -> None:
        del cells[course.place(cells, "shout")]

    rows = course.rows(change=remove)
    assert rows["shout"].status == "error"
    assert "no cell called shout" in rows["shout"].message
    assert sum(scores(rows).values()) == 8


@pytest.mark.parametrize("last", ["changed", "starter"])
def test_two_cells_for_one_answer(course: Any, last: str) -> None:
    sources = ["def shout(text, times=1):\n    return ''", course.answers["shout"]]
    if last == "starter":
        sources = [course.answers["shout"], course.starters("shout")["shout"]]

    def twice(cells: list[dict[str, Any]]) -> None:
        place = course.place(cells, "shout")
        cells[place : place + 1] = [course.answer_cell("shout", source) for source in sources]

    rows = course.rows(change=twice)
    assert scores(rows) == FULL
    assert "2 cells called shout" in rows["shout"].message


def test_added_cells_run_in_their_place(course: Any) -> None:
    def helped(cells: list[dict[str, Any]]) -> None:
        cells.insert(course.place(cells, "shout"), course.added("def loud(x): return x.upper()"))
        hanging, broken = course.added("while True: pass"), course.added("1 / 0")
        cells[2:2] = [broken, hanging, course.added("import os; os._exit(1)")]
        cells.append(course.added("def shout(*a, **k): return 'later cells do not count'"))

    uses = "def shout(text, times=1):\n    return loud(text) * times"
    assert scores(course.rows({"shout": uses}, change=helped)) == FULL


def test_lost_metadata_and_order(course: Any) -> None:
    def strip(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            cell["metadata"] = {}
        for cell in cells[::2]:
            del cell["id"]
        cells[3]["source"] = [line + "\n" for line in cells[3]["source"].split("\n")]

    assert scores(course.rows(change=strip)) == FULL
    assert scores(course.rows(change=lambda cells: cells.reverse())) == FULL


def test_changed_checks_and_set_up_have_no_effect(course: Any) -> None:
    def cheat(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            grading = cell["metadata"].get("nbgrader", {})
            if grading.get("grade"):
                grading["points"] = 100
                cell["source"] = "pass"
            if cell["id"] == "setup":
                cell["source"] = "scale = 100"
        del cells[course.place(cells, "check_logits")]
        cells.append(cells[course.place(cells, "check_shout")])

    assert scores(course.rows(change=cheat)) == FULL
    assert sum(scores(course.rows(course.starters(), change=cheat)).values()) == 0


def test_a_state_that_only_a_restart_loses(course: Any) -> None:
    """After the restart that a hanging call costs, names from before are there again."""
    rows = course.rows(
        {
            "double": "bonus = 1\ndef double(x):\n    while True: pass",
            "shout": "def shout(text, times=1):\n    return text.upper() * times * bonus",
        }
    )
    assert rows["double"].status == rows["total"].status == "timeout"  # total calls double
    assert rows["shout"].score == 1 and rows["logits"].score == 3
