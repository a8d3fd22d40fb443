"""The learner's own words: noted whole, never lost, never in the way of grading."""

import inspect
import json
from pathlib import Path

import pytest

from mechcourse import notes as module
from mechcourse.notes import notes, write_down
from mechcourse.predictions import PredictionError

FIRST = "Head 2 copies, for its own token is what it raises most."
RIVAL = "Head 2 only tells rare tokens from frequent ones."
UNCHECKED = inspect.unwrap(write_down)  # as learners have it: types are checked in tests only
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chapter folder in a learner's work folder, and a kernel that has just started."""
    folder = tmp_path / "work" / "ch01_attention"
    folder.mkdir(parents=True)
    (folder.parent / ".mechcourse").mkdir()
    monkeypatch.chdir(folder)
    restart(monkeypatch)
    return folder


def restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_this_kernel", [])


def record(chapter: Path) -> list[dict[str, object]]:
    file = chapter.parent / ".mechcourse" / "notes.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_what_is_empty_or_short_is_named_with_an_example(chapter: Path, capsys: Captured) -> None:
    write_down("why", first="", rival=RIVAL, experiment="run  it ", test="\n \n")
    said = capsys.readouterr().out
    assert "Still empty: first, test." in said
    assert "Still too short: experiment (6 characters)." in said
    assert "rival" not in said
    assert "first='" in said and "20 characters" in said, "an example shows what to write"
    assert "opened" not in said
    assert not record(chapter)


def test_words_are_noted_and_open_the_worked_answer(chapter: Path, capsys: Captured) -> None:
    write_down("why", first=FIRST, rival=RIVAL)
    said = capsys.readouterr().out
    assert "Noted: first, rival." in said
    assert "folded below may now be opened" in said
    (entry,) = record(chapter)
    assert (entry["chapter"], entry["name"]) == ("ch01_attention", "why")
    assert entry["parts"] == {"first": FIRST, "rival": RIVAL}
    assert "time" in entry


def test_changed_words_are_kept_beside_the_older_ones(
    chapter: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_down("why", first=FIRST)
    write_down("why", first=FIRST)
    assert "noted already" in capsys.readouterr().out
    assert len(record(chapter)) == 1
    restart(monkeypatch)
    write_down("why", first=RIVAL)
    assert "what you wrote before is kept" in capsys.readouterr().out
    write_down("why", first="")
    capsys.readouterr()
    write_down("why", first=FIRST)
    assert [entry["parts"] for entry in record(chapter)] == [
        {"first": FIRST},
        {"first": RIVAL},
        {"first": FIRST},
    ]
    notes()
    said = capsys.readouterr().out
    assert FIRST in said and RIVAL not in said
    assert "2 earlier versions" in said


def test_notes_show_the_newest_words_by_name(
    chapter: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes()
    assert "Nothing is written down yet" in capsys.readouterr().out
    write_down("why", first=FIRST, rival=RIVAL)
    write_down("what I saw", one="First line, \N{LEFTWARDS ARROW} é.\n\n" + 40 * "Second line. ")
    other = chapter.parent / "ch02_induction_heads"
    other.mkdir()
    monkeypatch.chdir(other)
    write_down("why", first="Something else altogether, in chapter 2.")
    capsys.readouterr()
    notes()
    said = capsys.readouterr().out
    assert said.index("why (ch01_attention)") < said.index("what I saw (ch01_attention)")
    assert "why (ch02_induction_heads)" in said
    assert f"first: {FIRST}" in said and f"rival: {RIVAL}" in said
    assert "\N{LEFTWARDS ARROW} é" in said and "Second line" in said
    assert max(map(len, said.splitlines())) <= 88
    notes("ch02_induction_heads")
    said = capsys.readouterr().out
    assert "chapter 2" in said and FIRST not in said


@pytest.mark.parametrize("words", [None, 3, ["a" * 30], b"a" * 30])
def test_a_part_that_is_no_text_is_named(chapter: Path, words: object) -> None:
    with pytest.raises(PredictionError, match="is no text; write it between quotes") as no:
        UNCHECKED("why", first=FIRST, rival=words)
    assert str(no.value).startswith("rival=")
    assert no.value._render_traceback_() == [str(no.value)]
    with pytest.raises(PredictionError, match="at least one part"):
        write_down("why")
    assert not record(chapter)


def test_it_works_without_a_record_folder(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_down("why", first=FIRST)
    write_down("why", first=RIVAL)
    notes()
    said = capsys.readouterr().out
    assert f"first: {RIVAL}" in said and "1 earlier version " in said
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_damaged_record_is_passed_over(chapter: Path, capsys: Captured) -> None:
    file = chapter.parent / ".mechcourse" / "notes.jsonl"
    file.write_text('{"name": "x"}\n{"name": 3, "parts": {}}\n{"parts": {"a": 1}}\n{"chap', "utf-8")
    write_down("why", first=FIRST)
    notes()
    assert FIRST in capsys.readouterr().out


def test_under_grading_nothing_happens(
    chapter: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    write_down("why")
    UNCHECKED("why", first=3)
    write_down("why", first=FIRST)
    notes()
    assert capsys.readouterr().out == ""
    assert not record(chapter)


def test_two_parts_with_the_same_words_are_sent_back(capsys: pytest.CaptureFixture[str]) -> None:
    write_down("same", if_a="The score stays where it was.", if_b="the score stays  where it was.")
    assert "if_a and if_b say the same" in capsys.readouterr().out
    notes()
    assert "same (" not in capsys.readouterr().out
