"""The learner's copy of the course, `work/`: filled from `course/`, never written over.

Standard library only, so that it runs before anything is installed.
"""

import hashlib
import json
import os
import shutil
from datetime import datetime
from pathlib import Path

from mechcourse import progress
from mechcourse.landing import landing_page, released_files

LANDING = "index.md"
RELEASED = "released.json"  # in the record folder: hash of the release that each copy was made from


def prepare(course: Path, work: Path) -> tuple[list[Path], list[Path]]:
    """Make `work`, copy what it lacks, write its landing page.

    Returns:
        The files copied now, and those whose release has changed since they were copied.
    """
    (work / progress.RECORD_FOLDER).mkdir(parents=True, exist_ok=True)
    copied = [path for path in released_files(course) if _copy_if_missing(course, work, path)]
    _remember(course, work, copied)
    newer = outdated(course, work)
    (work / LANDING).write_text(landing_page(course, work, newer), encoding="utf-8")
    return copied, newer


def outdated(course: Path, work: Path) -> list[Path]:
    """Files whose release is no longer the one that the learner's copy was made from."""
    return [
        Path(path)
        for path, digest in sorted(_released(work).items())
        if (course / path).is_file() and (work / path).exists() and _hash(course / path) != digest
    ]


def reset(name: str, course: Path, work: Path) -> tuple[Path | None, Path]:
    """Give the learner a fresh copy of a notebook, and keep theirs beside it under a dated name.

    Args:
        name: "ch01_attention/1_residual_stream", with or without `.ipynb` or `work/`.

    Returns:
        Where the learner's own file is now (None if there was none), and the fresh copy.

    Raises:
        FileNotFoundError: the course has no such notebook.
    """
    plain = name.replace("\\", "/").removeprefix("./").removeprefix("work/")
    wanted = Path(plain.removesuffix(".ipynb") + ".ipynb")
    known = [path for path in released_files(course) if path.suffix == ".ipynb"]
    if wanted not in known:
        names = ", ".join(path.with_suffix("").as_posix() for path in known) or "none yet"
        raise FileNotFoundError(f"The course has no notebook {name}. It has: {names}.")
    mine, backup = work / wanted, None
    if os.path.lexists(mine):
        backup = _free_name(mine)
        mine.rename(backup)
    _copy_if_missing(course, work, wanted)
    _remember(course, work, [wanted])
    return backup, mine


def _copy_if_missing(course: Path, work: Path, path: Path) -> bool:
    """Copy one file unless something of that name is there; a copy cut short leaves no notebook."""
    target = work / path
    if os.path.lexists(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    shutil.copyfile(course / path, partial)
    partial.rename(target)
    return True


def _released(work: Path) -> dict[str, str]:
    try:
        read = json.loads((work / progress.RECORD_FOLDER / RELEASED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _remember(course: Path, work: Path, copied: list[Path]) -> None:
    """Record which release the copies were made from; also copies made by hand, while unchanged.

    A copy of unknown origin is not recorded: nothing could be said about it.
    """
    known = _released(work)
    for path in released_files(course):
        digest = _hash(course / path)
        unrecorded = path.as_posix() not in known and (work / path).is_file()
        if path in copied or (unrecorded and _hash(work / path) == digest):
            known[path.as_posix()] = digest
    file = work / progress.RECORD_FOLDER / RELEASED
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _free_name(mine: Path) -> Path:
    """A name beside the notebook that says whose it is and from when, and that nothing has yet."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    names = (f"{mine.stem}.mine_{stamp}{extra}.ipynb" for extra in ("", "_2", "_3", "_4", "_5"))
    return next(path for path in map(mine.with_name, names) if not os.path.lexists(path))
