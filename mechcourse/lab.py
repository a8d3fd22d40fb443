"""Start JupyterLab: `make lab` for learners, `make author` for instructors.

Standard library only, and no shell: `python -m mechcourse lab` does on a bare Python, on Windows
too, what make does elsewhere.
"""

import os
import subprocess
from pathlib import Path

from mechcourse import environment, workspace

SETTINGS = Path(__file__).parent / "lab_settings"


def lab(arguments: list[str], root: Path = environment.ROOT) -> int:
    """Install what is missing, fill `work/`, and open JupyterLab there on the landing page.

    Args:
        arguments: passed on to JupyterLab, `--no-browser --port 8899`.

    Returns:
        JupyterLab's exit status. On Linux and macOS this process becomes JupyterLab's instead.
    """
    python = environment.ensure({"lab"}, root)
    course, work = root / "course", root / "work"
    copied, newer = workspace.prepare(course, work)
    for path in copied:
        print(f"New in work/: {path.as_posix()}")
    for path in newer:
        name = path.with_suffix("").as_posix()
        print(
            f"There is a newer {name}; yours is untouched. For a fresh copy, keeping yours "
            f"beside it, run: {reset_command(name, root)}"
        )
    return serve(python, work, "learner", f"/lab/tree/{workspace.LANDING}", arguments, root)


def author(arguments: list[str], root: Path = environment.ROOT) -> int:
    """Open JupyterLab at the repository's root, every chapter registered for Formgrader.

    The release is generated anew on the way, since that is what registers a chapter.
    """
    python = environment.ensure({"lab", "test"}, root)
    status = environment.run_in_venv(["release", "--register"], root)
    if status:
        return status
    return serve(python, root, "author", "/lab/tree/solutions", arguments, root)


def serve(
    python: Path, folder: Path, settings: str, page: str, arguments: list[str], root: Path
) -> int:
    """Run JupyterLab with the course's settings over a folder, in that folder.

    Args:
        settings: the folder of `lab_settings/` to use.
        page: the address that `/` leads to.
    """
    command = [
        str(python), "-m", "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.app_settings_dir={SETTINGS / settings}",
        f"--LabApp.default_url={page}",
        *_root_allowed(),
        *arguments,
    ]  # fmt: skip
    environ = environment.venv_environ(root)
    print("Starting JupyterLab; Ctrl-C here stops it", flush=True)
    if os.name == "posix":  # one process, so that Ctrl-C and `kill` reach JupyterLab itself
        os.chdir(folder)
        os.execve(command[0], command, environ)
    return subprocess.call(command, cwd=folder, env=environ)


def reset_command(name: str, root: Path = environment.ROOT) -> str:
    """The command that resets a notebook, to be run in the repository's folder."""
    python = environment.venv_python(root).relative_to(root)
    return f"{python} -m mechcourse reset {name}"


def _root_allowed() -> list[str]:
    """JupyterLab refuses to run as root, which in a container is the only user there is."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
