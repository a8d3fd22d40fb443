"""What opens at the start: the learner's landing page, and the instructor's Formgrader."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mechcourse import release, workspace
from tests.browser.conftest import LAB_OPTIONS, free_port, own_home, wait_for_server
from tests.scratch import CHAPTER, NOTEBOOK

SERVE = """
import sys
from pathlib import Path
from mechcourse import lab
folder, settings, page, *options = sys.argv[1:]
folder = Path(folder)
lab.serve(Path(sys.executable), folder, settings, page, options, folder)
"""


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, str, str], str]]:
    """Start JupyterLab as the launcher does: (folder, settings, first page) -> its address."""
    started: list[subprocess.Popen[bytes]] = []

    def serve(folder: Path, settings: str, page: str) -> str:
        home, port = tmp_path_factory.mktemp("home"), free_port()
        command = [sys.executable, "-c", SERVE, str(folder), settings, page, *LAB_OPTIONS]
        with (home / "lab.log").open("wb") as out:
            process = subprocess.Popen(
                [*command, f"--port={port}"], stdout=out, stderr=out, env=own_home(home)
            )
        started.append(process)
        wait_for_server(f"http://127.0.0.1:{port}/api", process, home / "lab.log")
        return f"http://127.0.0.1:{port}"

    yield serve
    for process in started:
        process.kill()  # at once: it holds nothing but this test's own folder
        process.wait()


def test_a_learner_lands_on_the_page_and_opens_a_notebook(
    scratch_course: Path, start: Callable, page: Page
) -> None:
    course, work = scratch_course / "course", scratch_course / "work"
    (scratch_course / "solutions").rename(course)
    workspace.prepare(course, work)
    page.goto(start(work, "learner", f"/lab/tree/{workspace.LANDING}"))
    landing = page.locator(".jp-MarkdownViewer")
    expect(landing.locator("h1")).to_contain_text("Mechanistic interpretability")
    expect(landing).to_contain_text("20 to 30 minutes")
    landing.locator("a", has_text="Adding numbers").click()
    expect(page.locator(".jp-Notebook h1")).to_contain_text("Adding numbers")
    expect(page.locator(".jp-NotebookPanel-toolbar")).to_contain_text("Validate")
    assert page.locator(".Toastify__toast").count() == 0, "a question at the start"
    menus = page.locator(".lm-MenuBar-itemLabel").all_inner_texts()
    assert "File" in menus and "Nbgrader" not in menus, "that menu is for instructors"


def test_an_instructor_finds_the_chapter_in_formgrader(
    scratch_course: Path, start: Callable, page: Page
) -> None:
    release.release(scratch_course, register=True)
    page.goto(start(scratch_course, "author", "/lab/tree/solutions"))
    page.locator(".jp-DirListing-item", has_text=CHAPTER).wait_for()
    page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
    page.locator(".lm-Menu-itemLabel", has_text="Formgrader").first.click()
    grader = page.frame_locator("iframe[src*='formgrader']")
    expect(grader.locator("tbody")).to_contain_text(CHAPTER)
    assert (scratch_course / "course" / CHAPTER / f"{NOTEBOOK}.ipynb").exists()
