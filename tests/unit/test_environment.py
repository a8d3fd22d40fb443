"""The environment is installed once, from one list of pins that everything agrees with."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from mechcourse import environment
from mechcourse.environment import STAMP, SetupProblem, ensure
from tests.scratch import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run; a call that makes an environment makes its Python."""
    made: list[list[str]] = []

    def call(command: list, **_options: object) -> int:
        made.append([str(part) for part in command])
        if "venv" in made[-1]:
            python = environment.venv_python(Path(made[-1][-1]).parent)
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "pins.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    return tmp_path


def test_first_start_makes_and_installs(root: Path, calls: list) -> None:
    assert ensure({"lab"}, root) == environment.venv_python(root)
    make, install, kernel = calls
    assert make[1:] == ["-m", "venv", "--clear", str(root / ".venv")]
    assert install[-5:] == ["install", "-c", "pins.txt", "-e", ".[lab]"]
    assert "--sys-prefix" in kernel and kernel[kernel.index("--name") + 1] == "python3"


def test_second_start_does_nothing(root: Path, calls: list) -> None:
    ensure({"lab"}, root)
    calls.clear()
    ensure({"lab"}, root)
    assert calls == []


@pytest.mark.parametrize("name", ["pyproject.toml", "pins.txt", ".venv/pyvenv.cfg"])
def test_a_change_of_what_is_wanted_installs_again(root: Path, calls: list, name: str) -> None:
    ensure({"lab"}, root)
    calls.clear()
    with (root / name).open("a") as file:
        file.write("\n# changed\n")
    ensure({"lab"}, root)
    assert any("pip" in call for call in calls)


def test_extras_add_up(root: Path, calls: list) -> None:
    ensure({"lab"}, root)
    ensure({"test"}, root)
    assert any(call[-1] == ".[lab,test]" for call in calls)
    calls.clear()
    ensure({"lab"}, root)
    assert calls == []


def test_a_failed_install_is_tried_again(root: Path, calls: list, monkeypatch) -> None:
    ensure({"lab"}, root)
    (root / "pins.txt").write_text("# none\n")
    monkeypatch.setattr(subprocess, "call", lambda *_a, **_k: 1)
    with pytest.raises(SetupProblem, match="did not work"):
        ensure({"lab"}, root)
    assert environment.read_stamp(root) == {}


def test_torch_index_takes_torch_alone_and_is_remembered(root: Path, calls: list, monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/cpu")
    ensure({"lab"}, root)
    torch = calls[1]
    assert torch[torch.index("--index-url") + 1] == "https://example.org/cpu"
    assert torch[-1] == "torch" and "--no-deps" in torch and "pins.txt" in torch
    calls.clear()
    monkeypatch.delenv("TORCH_INDEX")
    ensure({"lab"}, root)
    assert calls == []
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/cu130")
    ensure({"lab"}, root)
    assert "--force-reinstall" in calls[0]


def test_an_environment_whose_python_is_gone_is_made_anew(root: Path, calls: list) -> None:
    python = environment.venv_python(root)
    python.parent.mkdir(parents=True)
    python.symlink_to(root / "removed")
    assert not environment.works(python)


def test_debian_without_venv_is_told_what_to_install(root: Path, calls: list, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SetupProblem, match=r"apt install python3\.\d+-venv"):
        ensure({"lab"}, root)
    assert calls == []


def test_a_package_without_its_repository_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupProblem, match="clone of the repository"):
        ensure({"lab"}, tmp_path)


def test_stamp_holds_no_more_than_needed(root: Path, calls: list) -> None:
    ensure({"lab"}, root)
    stamp = json.loads((root / ".venv" / STAMP).read_text())
    assert set(stamp) == {"fingerprint", "extras", "torch_index"}


def test_conda_environment_says_what_pyproject_says() -> None:
    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    python, pip, listed = conda["dependencies"]
    assert python == f"python{PROJECT['requires-python']}" and pip == "pip"
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["lab"]
    assert listed["pip"] == ["-c pins.txt", *wanted, "-e ."]


def test_pins_are_exact_and_from_no_particular_index() -> None:
    lines = (REPOSITORY / "pins.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins


def test_pins_cover_all_that_pyproject_asks_for() -> None:
    pinned = set(re.findall(r"^([\w.-]+)==", (REPOSITORY / "pins.txt").read_text(), re.MULTILINE))
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    asked = {re.match(r"[\w.-]+", line)[0] for group in groups for line in group}
    assert asked <= {name.lower() for name in pinned} | pinned


@pytest.mark.slow
def test_an_old_python_is_told_so(tmp_path: Path) -> None:
    """`python -m mechcourse` on a Python below 3.11: a sentence, not a traceback."""
    script = (
        "import sys, runpy; sys.version_info = (3, 8, 1); "
        f"sys.path.insert(0, {str(REPOSITORY)!r}); runpy.run_module('mechcourse')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this is 3.8" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="there is no make")
def test_make_without_python_says_what_to_install() -> None:
    done = subprocess.run(
        ["make", "lab", "PYTHON="], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr and "python3-venv" in done.stderr
