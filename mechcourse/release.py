"""Make `course/` from `solutions/`, and a cohort's bundle without them.

nbgrader does the work, into a scratch folder: `generate_assignment --force` deletes the chapter it
is about to write, so a mistake in a source notebook would otherwise leave learners with nothing.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mechcourse import environment
from mechcourse.environment import ROOT
from mechcourse.landing import released_files

# What a cohort is given. Neither solutions nor tests: those hold right answers too.
BUNDLE = (
    "course", "mechcourse", "README.md", "Makefile", "pyproject.toml", "pins.txt",
    "environment.yml", "docs/screenshot.png",
)  # fmt: skip
EPOCH = (2020, 1, 1, 0, 0, 0)  # the same release makes the same bytes


class ReleaseProblem(Exception):
    """Something that must not be released as it is; the message says what."""


def chapters(root: Path = ROOT) -> list[str]:
    """The chapters that have a source, in order."""
    return sorted(path.parent.name for path in {*(root / "solutions").glob("ch*/*.ipynb")})


def refuse_leaks(root: Path = ROOT) -> None:
    """Hold that source folders hold notebooks and declared assets only.

    nbgrader copies every other file as it is, a paired text copy with its answers included. A
    notebook declares its assets in its metadata: {"mechcourse": {"assets": ["figure.png"]}}.

    Raises:
        ReleaseProblem: there is something else.
    """
    for chapter in chapters(root):
        folder = root / "solutions" / chapter
        sources = set(folder.glob("*.ipynb"))
        declared = {folder / name for path in sources for name in _assets(path)}
        other = {folder / path for path in released_files(folder)} - sources - declared
        code = {path for path in declared if path.suffix in {".py", ".md", ".ipynb", ".txt", ".R"}}
        for path in sorted(other | code):
            raise ReleaseProblem(
                f"{path.relative_to(root)} would be released as it is, answers included. Move it "
                "out of solutions/, or, if it is data that learners need, name it in the "
                'notebook\'s metadata: {"mechcourse": {"assets": [...]}}.'
            )


def generate(target: Path, root: Path = ROOT, *, register: bool = False) -> None:
    """Run `nbgrader generate_assignment` for every chapter, into a folder.

    Args:
        register: also enter the chapters in the gradebook. The bytes written are the same.

    Raises:
        ReleaseProblem: nbgrader refused; the message is what it said.
    """
    refuse_leaks(root)
    with tempfile.TemporaryDirectory() as empty:
        # The user's own nbgrader configuration must not change what is released.
        environ = environment.venv_environ(root) | {
            "JUPYTER_CONFIG_DIR": empty,
            "JUPYTER_CONFIG_PATH": empty,
        }
        for chapter in chapters(root):
            command = [sys.executable, "-m", "nbgrader", "generate_assignment", chapter, "--force"]
            command += [] if register else ["--no-db"]
            command += [f"--CourseDirectory.release_directory={target}"]
            done = subprocess.run(
                command, cwd=root, env=environ, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise ReleaseProblem(f"nbgrader could not release {chapter}:\n{done.stderr}")


def drift(root: Path = ROOT) -> list[str]:
    """What differs, by bytes, between `course/` and a fresh release; one line a file."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch), root)
        return _differences(Path(scratch), root / "course")


def release(root: Path = ROOT, *, register: bool = False) -> list[str]:
    """Bring `course/` up to date with `solutions/`; returns what was changed, one line a file.

    Raises:
        ReleaseProblem: nothing was changed then.
    """
    if not chapters(root):
        raise ReleaseProblem(f"There are no notebooks in {root / 'solutions'}.")
    course = root / "course"
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch), root, register=register)
        changed = _differences(Path(scratch), course)
        fresh = set(released_files(Path(scratch)))
        for path in sorted(fresh):
            (course / path).parent.mkdir(parents=True, exist_ok=True)
            (course / path).write_bytes((Path(scratch) / path).read_bytes())
        for path in sorted(set(released_files(course)) - fresh):
            (course / path).unlink()
    return changed


def bundle(file: Path, root: Path = ROOT) -> int:
    """Zip what a cohort is given, without solutions and tests; returns the number of files."""
    paths: list[Path] = []
    for name in BUNDLE:
        place = root / name
        inside = released_files(place) if place.is_dir() else []
        paths += [place / path for path in inside] or ([place] if place.is_file() else [])
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(paths):
            name = (Path("mechcourse") / path.relative_to(root)).as_posix()
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return len(paths)


def _assets(notebook: Path) -> list[str]:
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    return metadata.get("mechcourse", {}).get("assets", [])


def _differences(fresh: Path, course: Path) -> list[str]:
    new, old = set(released_files(fresh)), set(released_files(course))
    lines = [f"new: {path.as_posix()}" for path in sorted(new - old)]
    lines += [f"gone: {path.as_posix()}" for path in sorted(old - new)]
    both = sorted(new & old)
    changed = [p for p in both if (fresh / p).read_bytes() != (course / p).read_bytes()]
    return lines + [f"changed: {path.as_posix()}" for path in changed]
