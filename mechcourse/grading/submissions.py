"""From the paths on the command line to notebooks: whose they are, and what they belong to."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mechcourse.grading.notebooks import Released, Unreadable, read_released

CONFIG = "nbgrader_config.py"
_DEFAULTS = {
    "source_directory": "solutions",
    "release_directory": "course",
    "submitted_directory": "submitted",
    "autograded_directory": "autograded",
    "db_url": "",
    "course_id": "",
}


class InputProblem(Exception):
    """Something given on the command line can't be graded; the text names it and the remedy."""


@dataclass(frozen=True)
class Course:
    """A course's folder, as its `nbgrader_config.py` describes it."""

    root: Path
    source_directory: str
    release_directory: str
    submitted_directory: str
    autograded_directory: str
    db_url: str
    course_id: str

    @property
    def submitted(self) -> Path:
        return self.root / self.submitted_directory

    @property
    def database(self) -> str:
        """The gradebook's address; nbgrader's own default is a file beside its configuration."""
        return self.db_url or f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def notebooks(self) -> dict[str, list[str]]:
        """The released notebooks of each chapter, by name without `.ipynb`."""
        found: dict[str, list[str]] = {}
        for path in sorted((self.root / self.release_directory).glob("[!.]*/[!.]*.ipynb")):
            found.setdefault(path.parent.name, []).append(path.stem)
        return found

    def released(self, chapter: str, notebook: str) -> Released:
        """A released notebook.

        Raises:
            CourseProblem: it is not as it should be.
        """
        return _released(self.root / self.release_directory / chapter / f"{notebook}.ipynb")


@dataclass(frozen=True)
class Submission:
    """One notebook to be graded; its file may be missing or anything else."""

    course: Course
    learner: str
    chapter: str
    notebook: str
    path: Path
    for_gradebook: bool

    @property
    def checked_path(self) -> Path:
        """The notebook's path, once it is sure that it leads into no other learner's folder.

        Raises:
            Unreadable: a folder on the way is a symbolic link.
        """
        folders = (self.path.parent, self.path.parent.parent) if self.for_gradebook else ()
        for folder in folders:
            if folder.is_symlink():
                raise Unreadable(f"the folder {folder.name} is a symbolic link")
        return self.path


def find_submissions(path: Path) -> Iterator[Submission | InputProblem]:
    """The notebooks that a path stands for, and what is wrong with others beside them.

    A notebook, a chapter's folder, a folder of chapters (`work`), nbgrader's `submitted/`, or one
    learner's folder in it.

    Raises:
        InputProblem: the path stands for none.
    """
    here = Path(os.path.abspath(path))  # noqa: PTH100 -- resolved, a link would not be seen
    if not os.path.lexists(here):
        raise InputProblem(
            f"{path} does not exist. Give a notebook, a chapter folder or submitted/."
        )
    course = find_course(here)
    chapters = course.notebooks
    if here.suffix == ".ipynb":
        known = chapters.get(here.parent.name)
        if known is None:
            raise _unknown_chapter(here.parent.name, path, chapters)
        if here.stem not in known:
            raise InputProblem(
                f"{path}: {here.parent.name} has no notebook {here.stem}; "
                f"it has {', '.join(known)}."
            )
        yield _submission(course, here.parent, here.stem)
    elif here.name in chapters:
        for notebook in chapters[here.name]:
            yield _submission(course, here, notebook)
    elif here == course.submitted:
        learners = _folders(here)
        if not learners:
            raise InputProblem(f"{path} holds no learner's folder.")
        for learner in learners:
            yield from _in_folder(course, learner)
    elif here.is_dir():
        yield from _in_folder(course, here)
    else:
        raise InputProblem(f"{path} is no notebook. Give a .ipynb file or a folder of them.")


def find_course(place: Path) -> Course:
    """The course at or above a place, or else at or above the working directory.

    Raises:
        InputProblem: there is none.
    """
    for start in (place, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / CONFIG).is_file():
                return _course(folder)
    raise InputProblem(
        f"{place} belongs to no course: no {CONFIG} at or above it or the working directory. "
        "Run this in the course's folder."
    )


def _in_folder(course: Course, folder: Path) -> Iterator[Submission | InputProblem]:
    """The chapters in a folder that is a whole copy of the course or one learner's submission."""
    chapters = course.notebooks
    submitted = folder.parent == course.submitted
    inside = _folders(folder)
    known = [chapter for chapter in inside if chapter.name in chapters]
    for chapter in known:
        for notebook in chapters[chapter.name]:
            yield _submission(course, chapter, notebook)
    if not known:
        yield InputProblem(f"{folder} holds no chapter of this course ({', '.join(chapters)}).")
    elif submitted:
        for chapter in inside:
            if chapter.name not in chapters:
                yield _unknown_chapter(chapter.name, chapter, chapters)


def _submission(course: Course, folder: Path, notebook: str) -> Submission:
    owner = folder.parent
    return Submission(
        course=course,
        learner=owner.name,
        chapter=folder.name,
        notebook=notebook,
        path=folder / f"{notebook}.ipynb",
        for_gradebook=owner.parent == course.submitted,
    )


def _unknown_chapter(name: str, path: Path, chapters: dict[str, list[str]]) -> InputProblem:
    known = ", ".join(chapters) or "none yet: run make release"
    return InputProblem(f"{path}: this course has no chapter {name}; it has {known}.")


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


@lru_cache
def _released(path: Path) -> Released:
    return read_released(path)


def _course(root: Path) -> Course:
    """Read what `c.CourseDirectory` is given in the configuration, without running it."""
    settings = dict(_DEFAULTS)
    for node in ast.walk(ast.parse((root / CONFIG).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            owner, _, name = ast.unparse(node.targets[0]).rpartition(".")
            if owner == "c.CourseDirectory" and name in settings:
                settings[name] = str(node.value.value)
    return Course(root, **settings)
