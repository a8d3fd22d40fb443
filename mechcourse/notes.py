"""What the learner writes down in their own words: hypotheses, experiments, observations.

`write_down` keeps the words beside the predictions, in `notes.jsonl`, and `notes` shows them again.
None of it is graded, and under grading nothing happens. Without a record folder the words last as
long as the kernel, and in the notebook's own cell.
"""

import textwrap
from pathlib import Path
from typing import Any

from mechcourse.predictions import PredictionError
from mechcourse.progress import append, being_graded, entries

ENOUGH = 20  # characters: fewer say too little to be wrong
EXAMPLE = "In every text that I tried, head 0.3 looked at the token before its own."

_this_kernel: list[dict[str, Any]] = []


def write_down(name: str, **parts: str) -> None:
    """Keep your own words under a name, once every part has at least 20 characters.

    Words changed later are kept as well; the older ones stay on record.

    Args:
        name: what the words are about; `notes` shows them under it.
        parts: the words by what each part is for, `rival="…"` say.

    Raises:
        PredictionError: there is no part, or one is not a text.
    """
    if being_graded():
        return
    if not parts:
        raise PredictionError('write_down needs at least one part: write_down(name, rival="…")')
    for part, words in parts.items():
        if not isinstance(words, str):
            raise PredictionError(f"{part}={words!r} is no text; write it between quotes.")
    lengths = {part: len(" ".join(words.split())) for part, words in parts.items()}
    if min(lengths.values()) < ENOUGH:
        print(_invitation(lengths))
        return
    if same := _alike(parts):
        print(f"{' and '.join(same)} say the same in the same words. Write what sets them apart.")
        return
    entry = {"chapter": Path.cwd().name, "name": name, "parts": parts}
    before = [each for each in _entries() if each["name"] == name]
    before = [each for each in before if each["chapter"] == entry["chapter"]]
    if before and before[-1] == entry:
        said = "These words are noted already"
    else:
        _this_kernel.append(entry)
        append("notes", entry)
        said = "Noted anew; what you wrote before is kept too" if before else "Noted"
    print(f"{said}: {', '.join(parts)}. What is folded below may now be opened.")


def notes(chapter: str | None = None) -> None:
    """Print what was written down so far, the newest words under each name.

    Args:
        chapter: a chapter's folder name; by default every chapter on record.
    """
    if being_graded():
        return
    written: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in _entries():
        if chapter in (None, entry["chapter"]):
            written.setdefault((entry["chapter"], entry["name"]), []).append(entry)
    if not written:
        print("Nothing is written down yet.")
    for (where, name), versions in written.items():
        earlier = len(versions) - 1
        also = f"; {earlier} earlier version{'s' * (earlier > 1)} on record" if earlier else ""
        print(f"{name} ({where}{also})")
        for part, words in versions[-1]["parts"].items():
            print(_paragraphs(f"{part}: {words}"))


def _invitation(lengths: dict[str, int]) -> str:
    """Which parts are still to be written, and how."""
    empty = [part for part, length in lengths.items() if not length]
    short = [part for part, length in lengths.items() if 0 < length < ENOUGH]
    said = [f"Still empty: {', '.join(empty)}."] if empty else []
    if short:
        counted = ", ".join(
            f"{part} ({lengths[part]} character{'s' * (lengths[part] > 1)})" for part in short
        )
        said.append(f"Still too short: {counted}.")
    return (
        f"{' '.join(said)}\n"
        f"Write a sentence of your own, {ENOUGH} characters or more, between the quotes of each, "
        f"say\n  {(empty + short)[0]}={EXAMPLE!r}\n"
        "and run the cell again. Nobody grades it, and it is noted once every part is there."
    )


def _alike(parts: dict[str, str]) -> list[str]:
    """Two parts with the same words, if there are such: they tell no two things apart."""
    seen: dict[str, str] = {}
    for part, words in parts.items():
        key = " ".join(words.split()).casefold()
        if key in seen:
            return [seen[key], part]
        seen[key] = part
    return []


def _paragraphs(text: str) -> str:
    """A text as it was written, line by line, no line longer than a notebook shows."""
    lines = [
        textwrap.fill(line, 88, initial_indent="  ", subsequent_indent="    ")
        for line in text.strip().splitlines()
    ]
    return "\n".join(lines)


def _entries() -> list[dict[str, Any]]:
    """What is on record, then what this kernel alone knows (no folder, a full disk)."""
    recorded = [{k: v for k, v in e.items() if k != "time"} for e in entries("notes")]
    recorded = [e for e in recorded if {"chapter", "name", "parts"} <= e.keys()]
    return recorded + [entry for entry in _this_kernel if entry not in recorded]
