"""The learner's copy, its landing page, and how JupyterLab is started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mechcourse import lab, landing, workspace
from tests.scratch import CHAPTER, NOTEBOOK, REPOSITORY, notebook

PATH = Path(CHAPTER) / f"{NOTEBOOK}.ipynb"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A release of one notebook. It still has its solution in it, which does not matter here."""
    folder = tmp_path / "course"
    (folder / CHAPTER).mkdir(parents=True)
    nbformat.write(notebook(), folder / PATH)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def page(work: Path) -> str:
    return (work / "index.md").read_text(encoding="utf-8")


def change(release: Path) -> None:
    (release / PATH).write_text((release / PATH).read_text().replace("Adding", "Summing"))


def test_first_start_copies_the_course(course: Path, work: Path) -> None:
    assert workspace.prepare(course, work) == ([PATH], [])
    assert (work / PATH).read_bytes() == (course / PATH).read_bytes()
    assert (work / ".mechcourse").is_dir()


def test_a_second_start_touches_no_answer(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    (work / PATH).write_text("my answers")
    (work / "notes.md").write_text("my notes")
    change(course)
    assert workspace.prepare(course, work) == ([], [PATH])
    assert (work / PATH).read_text() == "my answers"
    assert (work / "notes.md").read_text() == "my notes"


def test_a_new_notebook_is_added_to_a_copy_in_use(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    (course / "ch02_more").mkdir()
    nbformat.write(notebook(), course / "ch02_more" / "1_new.ipynb")
    assert workspace.prepare(course, work)[0] == [Path("ch02_more/1_new.ipynb")]


def test_a_dangling_link_of_the_learners_is_left_alone(course: Path, work: Path) -> None:
    (work / CHAPTER).mkdir(parents=True)
    (work / PATH).symlink_to(work / "elsewhere.ipynb")
    workspace.prepare(course, work)
    assert (work / PATH).is_symlink() and not (work / "elsewhere.ipynb").exists()


def test_checkpoints_of_jupyter_are_not_copied(course: Path, work: Path) -> None:
    (course / CHAPTER / ".ipynb_checkpoints").mkdir()
    (course / CHAPTER / ".ipynb_checkpoints" / "x.ipynb").write_text("{}")
    assert workspace.prepare(course, work)[0] == [PATH]


def test_a_newer_release_is_announced_with_the_command(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    change(course)
    workspace.prepare(course, work)
    assert "Newer versions" in page(work)
    assert f"mechcourse reset {CHAPTER}/{NOTEBOOK}" in page(work)


def test_an_edited_copy_of_the_current_release_is_not_called_old(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    (work / PATH).write_text("my answers")
    assert workspace.prepare(course, work) == ([], [])
    assert "Newer versions" not in page(work)


@pytest.mark.parametrize(
    "name",
    [f"{CHAPTER}/{NOTEBOOK}", f"{CHAPTER}/{NOTEBOOK}.ipynb", f"work/{CHAPTER}/{NOTEBOOK}.ipynb"],
)
def test_reset_keeps_the_learners_file(course: Path, work: Path, name: str) -> None:
    workspace.prepare(course, work)
    (work / PATH).write_text("my answers")
    change(course)
    backup, fresh = workspace.reset(name, course, work)
    assert backup.read_text() == "my answers" and backup.parent == fresh.parent
    assert fresh.read_bytes() == (course / PATH).read_bytes()
    assert workspace.prepare(course, work) == ([], [])


def test_resetting_twice_in_a_second_loses_nothing(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    for words in ("first", "second", "third"):
        (work / PATH).write_text(words)
        workspace.reset(f"{CHAPTER}/{NOTEBOOK}", course, work)
    kept = {path.read_text() for path in (work / CHAPTER).glob("*.mine_*")}
    assert kept == {"first", "second", "third"}


def test_reset_of_an_unknown_notebook_names_the_known(course: Path, work: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{CHAPTER}/{NOTEBOOK}"):
        workspace.reset("../secrets", course, work)


def test_landing_page_reads_the_notebooks(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    assert "## Chapter 1: attention" in page(work)
    row = f"| [Adding numbers]({CHAPTER}/{NOTEBOOK}.ipynb) | 20 to 30 minutes | ▱ 0 of 1 |"
    assert row in page(work)


def test_landing_page_shows_progress(course: Path, work: Path) -> None:
    workspace.prepare(course, work)
    solved = {"chapter": CHAPTER, "exercise": "add", "status": "correct"}
    (work / ".mechcourse" / "checks.jsonl").write_text(json.dumps(solved) + "\n")
    workspace.prepare(course, work)
    assert "▰ 1 of 1" in page(work)


def test_an_unreadable_notebook_is_listed_by_its_name(course: Path, work: Path) -> None:
    (course / PATH).write_text("{ not json")
    workspace.prepare(course, work)
    assert f"[{NOTEBOOK}]" in page(work)


def test_parts_of_an_exercise_count_once(course: Path) -> None:
    book = notebook()
    extra = book.cells[-1].copy()
    extra.metadata = json.loads(json.dumps(extra.metadata).replace("check_add", "check_add__part"))
    extra.id = "check_add__part"
    book.cells.append(extra)
    nbformat.write(book, course / PATH)
    assert landing.describe(course, PATH).exercises == ("add",)


def test_settings_are_ones_that_jupyterlab_reads() -> None:
    for folder in ("learner", "author"):
        settings = json.loads((lab.SETTINGS / folder / "overrides.json").read_text())
        page_config = json.loads((lab.SETTINGS / folder / "page_config.json").read_text())
        news = settings["@jupyterlab/apputils-extension:notification"]
        assert news == {"fetchNews": "false", "checkForUpdates": False}
        assert page_config["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a child process is started")
def test_options_reach_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = {}

    def become(_program: str, command: list[str], env: dict[str, str]) -> None:
        started.update(command=command, env=env)
        raise SystemExit  # the real one does not come back either

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", become)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    options = ["--port", "8899"]
    with pytest.raises(SystemExit):
        lab.serve(python, tmp_path, "learner", "/lab/tree/index.md", options, tmp_path)
    assert started["command"][:3] == [str(python), "-m", "jupyterlab"]
    assert started["command"][-2:] == ["--port", "8899"]
    assert f"--ServerApp.root_dir={tmp_path}" in started["command"]
    assert started["env"]["PATH"].startswith(str(python.parent))


def test_the_launcher_needs_nothing_but_python() -> None:
    """The modules that run before anything is installed, on a Python without site-packages."""
    names = "lab, landing, workspace, environment, doctor, cli, progress"
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from mechcourse import {names}"
    bare = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
