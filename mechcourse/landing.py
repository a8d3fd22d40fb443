"""The page on which a learner's JupyterLab opens: chapters, notebooks, and how far they are.

Everything on it is read from the released notebooks and the learner's own record. Standard library
only.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import Template

from mechcourse import progress

LEFT_OUT = {".ipynb_checkpoints", "__pycache__", ".DS_Store"}

PAGE = Template("""\
# Mechanistic interpretability

Open a notebook by its link and work from top to bottom. A check cell tells you at once what holds
and what does not; run it as often as you like.

$chapters$newer
## In a terminal

- `mechcourse progress`: how far each exercise has come
- `mechcourse reset $example`: a fresh copy of a notebook; yours is kept beside it
- `mechcourse doctor`: what is missing, and the command that mends it

*This page is made anew at every start: keep notes of your own in other files.*
""")

NEWER = Template("""\
## Newer versions

The course has changed these since you began on them. Yours are untouched. To take the new version,
run this in a terminal; yours is kept beside it.

```
$commands
```
""")


@dataclass(frozen=True)
class Notebook:
    """A released notebook: its place, and what the landing page says of it.

    Attributes:
        path: relative to `course/` and `work/` alike.
        time: how long it takes, in the notebook's own words ("about four hours"); may be empty.
        exercises: names of its graded exercises, in order.
    """

    path: Path
    title: str
    time: str
    exercises: tuple[str, ...]


def released_files(course: Path) -> Iterator[Path]:
    """The files of the release, relative to `course`, sorted."""
    for path in sorted(course.rglob("*")):
        inside = path.relative_to(course)
        if path.is_file() and not LEFT_OUT & set(inside.parts):
            yield inside


def notebooks(course: Path) -> list[Notebook]:
    """The notebooks of the release, with what their cells say of them."""
    found = [path for path in released_files(course) if path.suffix == ".ipynb"]
    return [describe(course, path) for path in found if len(path.parts) == 2]


def describe(course: Path, path: Path) -> Notebook:
    """Read a notebook's title (its first heading), time and exercises from its cells.

    One that can't be read is listed by its file name.
    """
    try:
        cells = json.loads((course / path).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return Notebook(path, path.stem, "", ())
    text = "\n".join(_source(cell) for cell in cells[:6] if cell.get("cell_type") == "markdown")
    heading = re.search(r"^# +(.+?) *$", text, re.MULTILINE)
    spent = re.search(r"\*\*Time\*\*:? *([^.,:;\n]+)", text)
    spent = spent or re.search(r"(\d+(?: *(?:to|-|–) *\d+)? *min(?:ute)?s?)\b", text)
    marks = [cell.get("metadata", {}).get("nbgrader", {}) for cell in cells]
    checks = [str(mark.get("grade_id")) for mark in marks if mark.get("grade")]
    exercises = [name.removeprefix("check_").partition("__")[0] for name in checks]
    return Notebook(
        path,
        heading[1] if heading else path.stem,
        spent[1].strip() if spent else "",
        tuple(dict.fromkeys(exercises)),
    )


def landing_page(course: Path, work: Path, newer: list[Path]) -> str:
    """The page as Markdown.

    Args:
        newer: notebooks whose release has changed since the learner's copy was made.
    """
    done = progress.exercise_progress(work)
    solved = {key for key, state in done.items() if state.solved}
    books = notebooks(course)
    chapters = [
        _chapter(name, list(inside), solved)
        for name, inside in groupby(books, key=lambda book: book.path.parts[0])
    ]
    commands = "\n".join(f"mechcourse reset {_name(path)}" for path in newer)
    return PAGE.substitute(
        chapters="\n".join(chapters) or "There is no notebook yet.\n",
        newer="\n" + NEWER.substitute(commands=commands) if newer else "",
        example=_name(books[0].path) if books else "CHAPTER/NOTEBOOK",
    )


def chapter_title(folder: str) -> str:
    """A chapter folder's name in words.

    >>> chapter_title("ch02_induction_heads")
    'Chapter 2: induction heads'
    """
    found = re.fullmatch(r"ch(\d+)_(\w+)", folder)
    return f"Chapter {int(found[1])}: {found[2].replace('_', ' ')}" if found else folder


def _chapter(name: str, books: list[Notebook], solved: set[tuple[str, str]]) -> str:
    lines = [f"## {chapter_title(name)}", "", "| notebook | time | exercises solved |"]
    lines.append("|---|---|---|")
    for book in books:
        mine = [(name, exercise) in solved for exercise in book.exercises]
        bar = "▰" * sum(mine) + "▱" * (len(mine) - sum(mine))
        count = f"{bar} {sum(mine)} of {len(mine)}" if mine else ""
        link = f"[{_escape(book.title)}]({book.path.as_posix().replace(' ', '%20')})"
        lines.append(f"| {link} | {book.time} | {count} |")
    return "\n".join(lines) + "\n"


def _name(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _escape(text: str) -> str:
    return re.sub(r"([\[\]|])", r"\\\1", text)
