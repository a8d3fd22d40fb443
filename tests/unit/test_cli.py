"""The command `mechcourse`: what each command calls, and that asking for help is quick."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mechcourse import cli, lab, progress
from tests.scratch import CHAPTER, NOTEBOOK, make_course

COMMANDS = "lab doctor progress reset train grade author release install".split()


def test_help_lists_every_command(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom mechcourse.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'plotly', 'nbformat', 'IPython'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_lab_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = []
    monkeypatch.setattr(lab, "lab", lambda arguments: passed.extend(arguments) or 0)
    options = ["--no-browser", "--port", "8899", "--ServerApp.token=abc"]
    assert cli.main(["lab", *options]) == 0
    assert passed == options


def test_other_commands_refuse_unknown_options(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["progress", "--loud"])
    assert "unknown: --loud" in capsys.readouterr().err


def test_grade_hands_over_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    handed = {}

    def grade_paths(paths: list[Path], trust: bool, json_file: Path | None) -> int:
        handed.update(paths=paths, trust=trust, json_file=json_file)
        return 3

    monkeypatch.setitem(sys.modules, "mechcourse.grading", SimpleNamespace(grade_paths=grade_paths))
    monkeypatch.setattr("mechcourse.grading", sys.modules["mechcourse.grading"], raising=False)
    assert cli.main(["grade", "work/ch01", "a.ipynb", "--trust", "--json", "out.json"]) == 3
    assert handed == {
        "paths": [Path("work/ch01"), Path("a.ipynb")],
        "trust": True,
        "json_file": Path("out.json"),
    }


@pytest.fixture
def zoo(monkeypatch: pytest.MonkeyPatch) -> list:
    """Zoos of one model each that record how it was retrained."""
    trained: list = []

    def retrain(name: str, seed: int | None, out: Path | None, ship: bool) -> None:
        if out == Path("there.safetensors"):
            raise FileExistsError("there.safetensors is there already")
        trained.append((name, seed, out, ship))

    how = SimpleNamespace(about="two layers", minutes=15.0)
    fakes = {
        "zoo": SimpleNamespace(RECIPES={"code-2l": how}, retrain=retrain),
        "modular_zoo": SimpleNamespace(JOBS={"modular-7": how}, retrain=retrain),
        "superposition_zoo": SimpleNamespace(RECIPES={"two-in-one": how}, retrain=retrain),
        "sae_zoo": SimpleNamespace(RECIPES={}, retrain=retrain),
        "neurons_zoo": SimpleNamespace(RECIPES={"neurons-2x4": how}, retrain=retrain),
    }
    for name, fake in fakes.items():
        monkeypatch.setitem(sys.modules, f"mechcourse.{name}", fake)
        monkeypatch.setattr(f"mechcourse.{name}", fake, raising=False)
    return trained


def test_train_without_a_name_lists_the_models(zoo: list, capsys) -> None:
    assert cli.main(["train"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("code-2l: two layers; about 15 minutes") and zoo == []
    assert "modular-7: two layers" in said and "two-in-one: two layers" in said


def test_train_retrains_as_told(zoo: list) -> None:
    assert cli.main(["train", "code-2l", "--seed", "3", "--out", "new.safetensors"]) == 0
    assert cli.main(["train", "code-2l", "--ship"]) == 0
    assert cli.main(["train", "modular-7", "--seed", "1"]) == 0
    assert cli.main(["train", "neurons-2x4", "--ship"]) == 0
    assert zoo == [
        ("code-2l", 3, Path("new.safetensors"), False),
        ("code-2l", None, None, True),
        ("modular-7", 1, None, False),
        ("neurons-2x4", None, None, True),
    ]


def test_train_does_not_write_over_a_file(zoo: list, capsys) -> None:
    assert cli.main(["train", "code-2l", "--out", "there.safetensors"]) == 1
    assert "there already" in capsys.readouterr().err and zoo == []


def test_train_of_an_unknown_model_lists_the_known(zoo: list, capsys) -> None:
    assert cli.main(["train", "gpt-5"]) == 1
    said = capsys.readouterr().err
    assert "code-2l" in said and "modular-7" in said and zoo == []


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course released as it is, which the command takes for the repository."""
    make_course(tmp_path)
    (tmp_path / "solutions").rename(tmp_path / "course")
    (tmp_path / "work" / progress.RECORD_FOLDER).mkdir(parents=True)
    (tmp_path / "work" / CHAPTER).mkdir()
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_progress_shows_every_exercise(course: Path, capsys, monkeypatch) -> None:
    cli.main(["progress"])
    assert "-              add" in capsys.readouterr().out
    with monkeypatch.context() as inside:
        inside.chdir(course / "work" / CHAPTER)
        for status in ("wrong", "correct"):
            entry = {"chapter": CHAPTER, "exercise": "add", "status": status}
            progress.append("checks", entry)
    cli.main(["progress"])
    output = capsys.readouterr().out
    assert "Chapter 1: attention: Adding numbers" in output
    assert "solved, 2 attempts add" in output


def test_reset_says_where_the_learners_file_is(course: Path, capsys) -> None:
    mine = course / "work" / CHAPTER / f"{NOTEBOOK}.ipynb"
    mine.write_text("my answers")
    assert cli.main(["reset", f"{CHAPTER}/{NOTEBOOK}"]) == 0
    output = capsys.readouterr().out
    assert f"Yours is now work/{CHAPTER}/{NOTEBOOK}.mine_" in output
    assert cli.main(["reset", "ch09/none"]) == 1
