"""What all tests share: which need a browser, and an environment without the caller's settings."""

import os
import shutil
from pathlib import Path

import pytest

from tests.scratch import make_course

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

if "PYTEST_XDIST_WORKER" in os.environ:  # workers that each take every core slow each other down
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/browser and tests/science; skip browser tests without a browser.

    Continuous integration has CI=true: there a missing browser must not pass for a green run.
    """
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    missing = not any(map(shutil.which, BROWSERS)) and not in_ci
    skip = pytest.mark.skip(reason="no Chromium here: sudo apt install chromium")
    for item in items:
        for folder in {"browser", "science"} & set(item.path.parts):
            item.add_marker(folder)
        if missing and item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test as a learner's kernel does: nothing of nbgrader's or make's is set."""
    for name in ("NBGRADER_EXECUTION", "TORCH_INDEX", "MAKEFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def scratch_course(tmp_path: Path) -> Path:
    """The top folder of a course with one source chapter of one notebook, not yet released."""
    return make_course(tmp_path)
