"""The course's own Python environment `.venv`: made once, installed from the pins, then left alone.

Standard library only, and no shell: it runs on a bare Python, on Windows too.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAMP = "mechcourse-installed.json"
MINIMUM = (3, 11)


class SetupProblem(Exception):
    """Something that stops the course from starting; the message says what to do about it."""


def require_checkout(root: Path = ROOT) -> None:
    """Refuse to go on where the package was installed without its repository.

    Raises:
        SetupProblem: there is no pyproject.toml or pins.txt beside the package.
    """
    if not all((root / name).is_file() for name in ("pyproject.toml", "pins.txt")):
        raise SetupProblem(
            "The course's folder was not found: run this in a clone of the repository, "
            "as `python -m mechcourse ...` from its top folder."
        )


def venv_python(root: Path = ROOT) -> Path:
    """The path of the environment's Python, whether or not it exists."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return root.joinpath(".venv", *parts)


def in_venv(root: Path = ROOT) -> bool:
    """Whether this process runs in the course's environment."""
    return Path(sys.prefix).resolve() == (root / ".venv").resolve()


def works(python: Path) -> bool:
    """Whether this Python starts: a virtual environment dies with the Python it was made from."""
    if not python.exists():
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def ensure(extras: set[str], root: Path = ROOT) -> Path:
    """Make `.venv` if need be and install the pinned packages of these extras; returns its Python.

    A stamp in `.venv` remembers what was installed, so that nothing is done the second time.
    The variable TORCH_INDEX names the package index that torch is taken from.

    Raises:
        SetupProblem: no environment can be made, or pip failed.
    """
    require_checkout(root)
    python = venv_python(root)
    if not works(python):
        _create(root)
    stamp = read_stamp(root)
    index = os.environ.get("TORCH_INDEX", "") or stamp.get("torch_index", "")
    wanted = fingerprint(root)
    same = stamp.get("fingerprint") == wanted and stamp.get("torch_index", "") == index
    if same and extras <= set(stamp.get("extras", [])):
        return python
    extras = extras | set(stamp.get("extras", []))
    (root / ".venv" / STAMP).unlink(missing_ok=True)  # an interrupted pip must not look finished
    _install(python, root, extras, index, index != stamp.get("torch_index", ""))
    written = {"fingerprint": wanted, "extras": sorted(extras), "torch_index": index}
    (root / ".venv" / STAMP).write_text(json.dumps(written, indent=1), encoding="utf-8")
    return python


def read_stamp(root: Path = ROOT) -> dict:
    """What was last installed: `fingerprint`, `extras`, `torch_index`; empty if nothing was."""
    try:
        stamp = json.loads((root / ".venv" / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def fingerprint(root: Path = ROOT) -> str:
    """A hash of all that decides what is installed: packages, pins, Python, and the folder.

    The folder counts because scripts and the kernel hold absolute paths.
    """
    digest = hashlib.sha256(str(root.resolve()).encode())
    for name in ("pyproject.toml", "pins.txt", ".venv/pyvenv.cfg"):
        path = root / name
        digest.update(name.encode() + b"\0" + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()


def run_in_venv(arguments: list[str], root: Path = ROOT) -> int:
    """Run `python -m mechcourse ARGUMENTS` with the environment's Python; its exit status."""
    return subprocess.call(
        [venv_python(root), "-m", "mechcourse", *arguments], env=venv_environ(root)
    )


def venv_environ(root: Path = ROOT) -> dict[str, str]:
    """This process's variables, with the environment's programs first on PATH.

    A terminal opened in JupyterLab then finds `mechcourse` and the right `python`, and nbgrader
    the `alembic` that it starts by that name. Without a `.venv`, the programs beside this Python.
    """
    python = venv_python(root) if venv_python(root).exists() else Path(sys.executable)
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", "")])
    environ = os.environ | {"PATH": path, "VIRTUAL_ENV": str(python.parents[1])}
    environ.pop("PYTHONHOME", None)
    return environ


def _create(root: Path) -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupProblem(
            f"This Python ({sys.executable}) can't make virtual environments. On Debian or "
            f"Ubuntu run: sudo apt install python{version}-venv"
        )
    print(f"Making .venv with Python {version} ({sys.executable})", flush=True)
    made = [sys.executable, "-m", "venv", "--clear", str(root / ".venv")]
    if subprocess.call(made):
        raise SetupProblem(f"Could not make {root / '.venv'}; the lines above say why.")


def _install(python: Path, root: Path, extras: set[str], index: str, other_torch: bool) -> None:
    print("Installing the pinned packages into .venv (minutes the first time)", flush=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-c", "pins.txt"]
    steps = []
    if index:
        # Only torch itself: what it depends on comes from the usual index, as pinned.
        again = ["--force-reinstall"] if other_torch else []
        steps.append([*pip, "--no-deps", "--index-url", index, *again, "torch"])
    steps.append([*pip, "-e", f".[{','.join(sorted(extras))}]"])
    if "lab" in extras:
        # So that a notebook's "python3" is this environment, whatever else is on the machine.
        kernel = [python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3"]
        steps.append([*kernel, "--display-name", "Python 3 (ipykernel)"])
    for step in steps:
        if subprocess.call(step, cwd=root):
            raise SetupProblem(
                "This did not work: " + " ".join(map(str, step)) + "\nThe lines above say why. "
                "Run the same command again once it is mended."
            )
