"""What is installed, what is missing, and the command that mends it.

Standard library only, so that it can say why nothing else runs.
"""

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mechcourse import environment

LAB = "make lab" if os.name == "posix" else "python -m mechcourse lab"
DISK_NEEDED = 3.0  # GB, for a CPU build of torch and the rest; a CUDA build takes three times that
EXTENSIONS = {  # JupyterLab extension: the package that brings it
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "@jupyter/nbgrader": "nbgrader",
    "anywidget": "anywidget",
    "jupyterlab-plotly": "plotly",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        state: "ok"; "differs" where it should still work; "missing".
        detail: what was found.
        mend: the command that mends it; empty where there is nothing to mend.
        needed: whether `lab` needs it; the rest is for tests and authors.
    """

    what: str
    state: str
    detail: str
    mend: str = ""
    needed: bool = True


def examine(root: Path = environment.ROOT) -> list[Finding]:
    """Look at everything; never raises for what it finds, never changes anything."""
    return [
        *_python(root),
        *_places(root),
        *_packages(root),
        *_extensions(),
        *_tools(),
    ]


def doctor(root: Path = environment.ROOT) -> int:
    """Print the findings; 1 where something that `lab` needs is missing, else 0."""
    findings = examine(root)
    width = max(len(finding.what) for finding in findings)
    quiet = [f for f in findings if f.state == "ok" and f.detail == "as pinned"]
    for finding in findings:
        if finding not in quiet:
            print(f"{finding.state:8} {finding.what:{width}}  {finding.detail}")
            if finding.mend:
                print(f"{'':8} {'':{width}}  mend: {finding.mend}")
    print(f"{'ok':8} {len(quiet)} packages, exactly as pinned in pins.txt")
    broken = [finding.what for finding in findings if finding.needed and finding.state == "missing"]
    if broken:
        print(f"\nThe course can't start without: {', '.join(broken)}.")
        return 1
    print(
        "\nThe course can start."
        if not _only_optional(findings)
        else "\nThe course can start; what is missing is for tests and authors only."
    )
    return 0


def pins(root: Path = environment.ROOT) -> dict[str, str]:
    """The pinned version by normalised package name."""
    lines = (root / "pins.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {normal(name): version.strip() for name, version in pairs}


def requirements(root: Path = environment.ROOT) -> dict[str, list[str]]:
    """Package names that pyproject.toml asks for: under "" always, and by extra."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: [normal(re.match(r"[\w.-]+", line)[0]) for line in lines]
        for extra, lines in groups.items()
    }


def normal(name: str) -> str:
    """A package name as indexes compare it.

    >>> normal("Jinja2"), normal("typing_extensions")
    ('jinja2', 'typing-extensions')
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _python(root: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", "ok", f"{version}, {sys.executable}")
    if environment.in_venv(root):
        yield Finding(".venv", "ok", str(root / ".venv"))
    elif environment.works(environment.venv_python(root)):
        where = environment.venv_python(root)
        yield Finding(".venv", "differs", f"is not in use; {where} is the course's Python", LAB)
    else:
        yield Finding(".venv", "missing", "not made yet, or its Python is gone", LAB)


def _places(root: Path) -> Iterator[Finding]:
    for place in (root, root / "work"):
        if place.exists() and not os.access(place, os.W_OK):
            mend = f'sudo chown -R "$USER" "{place}"' if os.name == "posix" else ""
            yield Finding(f"write to {place.name}/", "missing", f"{place} is read-only", mend)
    if any((root / "course").glob("ch*/*.ipynb")):
        yield Finding("course/", "ok", "notebooks are there")
    else:
        yield Finding("course/", "missing", "no notebooks", "git checkout -- course")
    free = shutil.disk_usage(root).free / 1e9
    enough = _installed("torch") or free > DISK_NEEDED
    mend = "" if enough else f"free at least {DISK_NEEDED:.0f} GB on this disk"
    yield Finding("disk", "ok" if enough else "missing", f"{free:.1f} GB free", mend)


def _packages(root: Path) -> Iterator[Finding]:
    pinned, asked = pins(root), requirements(root)
    for extra, names in asked.items():
        mend = "make install" if extra == "test" else LAB
        for name in names:
            found, wanted = _installed(name), pinned.get(name)
            if not found:
                yield Finding(name, "missing", f"{wanted} wanted", mend, needed=extra != "test")
            elif found.partition("+")[0] != wanted:
                detail = f"{found} is installed, {wanted} is tested with"
                again = f"{sys.executable} -m pip install -c pins.txt {name}"
                yield Finding(name, "differs", detail, again, needed=extra != "test")
            else:
                yield Finding(name, "ok", "as pinned", needed=extra != "test")


def _extensions() -> Iterator[Finding]:
    folder = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    for extension, package in EXTENSIONS.items():
        if (folder / extension / "package.json").exists():
            yield Finding(f"extension {extension}", "ok", "in JupyterLab")
        else:
            again = f"{sys.executable} -m pip install -c pins.txt --force-reinstall --no-deps "
            detail = f"not in {folder}"
            yield Finding(f"extension {extension}", "missing", detail, again + package)
    kernel = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "python3" / "kernel.json"
    try:
        python = json.loads(kernel.read_text(encoding="utf-8"))["argv"][0]
    except (OSError, ValueError, LookupError):
        python = ""
    again = f"{sys.executable} -m ipykernel install --sys-prefix --name python3"
    if python and (shutil.which(python) or Path(python).exists()):
        yield Finding("notebook kernel", "ok", python)
    else:
        yield Finding("notebook kernel", "missing", f"none at {kernel}", again)


def _tools() -> Iterator[Finding]:
    for program, why in {"make": "for authors and tests", "chromium": "for browser tests"}.items():
        found = shutil.which(program)
        mend = "" if found else f"sudo apt install {program}"
        state = "ok" if found else "missing"
        yield Finding(program, state, found or f"not found; only {why}", mend, needed=False)


def _only_optional(findings: list[Finding]) -> bool:
    return any(finding.state == "missing" for finding in findings)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
