"""A real JupyterLab and a real browser.

`lab(folder)` serves a folder and returns the address; `page` is a Playwright page in Chromium that
reaches nothing but this machine; `open_notebook(url, path)` opens a notebook on it and returns a
`Notebook` with `run`, `output`, `replace` and `cell`. A JupyterLab started elsewhere, say by
`make lab`, will do too if it was given `LAB_OPTIONS`.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# No browser of its own, no token, and `window.jupyterapp` for `Notebook`.
LAB_OPTIONS = (
    "--no-browser --allow-root --IdentityProvider.token= --ServerApp.password= "
    "--LabApp.expose_app_in_browser=True"
).split()
QUIET_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
PATIENCE = 120_000  # milliseconds; a kernel that imports torch on a busy machine takes its time


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    """A function that serves a folder in JupyterLab until the tests end and returns its address.

    A folder asked for again has the same address.
    """
    started: list[subprocess.Popen[bytes]] = []

    @cache
    def serve(folder: Path) -> str:
        home = tmp_path_factory.mktemp("jupyter")
        port = free_port()
        command = [sys.executable, "-m", "jupyterlab", *LAB_OPTIONS]
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        command += [f"--ServerApp.root_dir={folder}"]
        command += [f"--LabApp.user_settings_dir={quiet_settings(home)}"]
        command += [f"--LabApp.workspaces_dir={home / 'workspaces'}"]
        log = home / "lab.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=own_home(home))
        started.append(process)
        wait_for_server(f"http://127.0.0.1:{port}/api", process, log)
        return f"http://127.0.0.1:{port}"

    yield serve
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("no Chromium: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; the test fails if it asked for anything that is not on this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE / 4)
    outside: list[str] = []

    def keep_inside(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", keep_inside)
    yield context.new_page()
    context.close()
    assert not outside, f"the page asked the network for {outside}"


@pytest.fixture(scope="session")
def notebook_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that writes code cells as NAME.ipynb, in a folder of their own: the folder."""

    def write(name: str, *sources: str) -> Path:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
        made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        folder = tmp_path_factory.mktemp(name)
        nbformat.write(made, folder / f"{name}.ipynb")
        return folder

    return write


@pytest.fixture
def open_notebook(page: Page) -> Callable[[str, str], "Notebook"]:
    """A function that opens (JupyterLab's address, a notebook's path under its folder)."""
    return lambda url, path: Notebook.open(page, url, path)


class Notebook:
    """One notebook open in JupyterLab. A cell is named by any text that only its source holds."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(cls, page: Page, url: str, path: str) -> Self:
        """Open a notebook, by its path under the served folder, and wait for its kernel."""
        page.goto(f"{url}/lab/tree/{path}?reset")
        notebook = cls(page)
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.content?.widgets?.length"
        )
        # A server that windows long notebooks would keep cells out of the page until scrolled to.
        page.evaluate(
            f"() => {{ {NOTEBOOK} notebook.notebookConfig = "
            "{...notebook.notebookConfig, windowingMode: 'none'} }"
        )
        notebook.wait_until_idle()
        return notebook

    def wait_until_idle(self) -> None:
        """Wait until the kernel is there and has nothing to do."""
        self.page.wait_for_function(
            f"() => {{ {NOTEBOOK} return panel.sessionContext.session?.kernel?.status === 'idle' }}"
        )

    def run(self, text: str) -> str:
        """Run a cell, wait for its end and return what it shows."""
        self._evaluate(text, f"await {RUN}")
        self.wait_until_idle()
        return self.output(text)

    def start(self, text: str) -> None:
        """Run a cell without waiting for its end; `wait_until_idle` does."""
        self._evaluate(text, f"void {RUN}")

    def output(self, text: str) -> str:
        """The text that a cell's output shows."""
        return self._evaluate(text, "return cell.outputArea.node.innerText")

    def replace(self, text: str, source: str) -> None:
        """Give a cell another source, locked or not."""
        self._evaluate(text, f"cell.model.sharedModel.setSource({json.dumps(source)})")

    def cell(self, text: str) -> Locator:
        """The cell in the page, scrolled to."""
        index = self._evaluate(
            text, "cell.node.scrollIntoView(); cell.node.dataset.index = index; return index"
        )
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-index="{index}"]')

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def _evaluate(self, text: str, script: str) -> object:
        return self.page.evaluate(f"async (text) => {{ {NOTEBOOK} {FIND_CELL} {script} }}", text)


NOTEBOOK = "const panel = window.jupyterapp.shell.currentWidget; const notebook = panel.content;"
RUN = "(notebook.activeCellIndex = index, jupyterapp.commands.execute('notebook:run-cell'))"
FIND_CELL = """
const holds = (cell) => cell.model.sharedModel.getSource().includes(text);
const found = notebook.widgets.filter(holds);
if (found.length !== 1) throw new Error(`${found.length} cells hold ${text}`);
const cell = found[0], index = notebook.widgets.indexOf(cell);
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def quiet_settings(home: Path) -> Path:
    """JupyterLab's user settings, with the news and the update check off."""
    folder = home / "settings"
    for plugin, settings in QUIET_SETTINGS.items():
        file = folder / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    return folder


def own_home(home: Path) -> dict[str, str]:
    """An environment in which neither the user's settings nor their records are touched."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    inherited = {k: v for k, v in os.environ.items() if k != "NBGRADER_EXECUTION"}
    return inherited | {name: str(home / name.lower()) for name in names}


def wait_for_server(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 2 * PATIENCE / 1000
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")
