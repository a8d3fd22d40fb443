"""README says nothing that is not so: its commands, its chapters, its files."""

import argparse
import re

import pytest

from mechcourse.cli import parser
from tests.scratch import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"```(?:sh|bash)?\n(.*?)```", README, re.DOTALL))
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
CODE = BLOCKS.splitlines() + SPANS


def made() -> set[str]:
    return {match for line in CODE for match in re.findall(r"(?:^|\s)make ([a-z]+)", line)}


def subcommands() -> set[str]:
    actions = parser()._actions
    choices = [a.choices for a in actions if isinstance(a, argparse._SubParsersAction)]
    return set(choices[0])


def test_the_two_commands_come_first() -> None:
    commands = [line for line in BLOCKS.splitlines() if line.strip()]
    assert [command.split("#")[0].strip() for command in commands[:2]] == ["make lab", "make test"]


@pytest.mark.parametrize("target", sorted(made()))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"no target {target}"


def test_commands_of_mechcourse_exist() -> None:
    pattern = r"(?:python -m |^|\s)mechcourse ([a-z]+)"
    used = {match for line in CODE for match in re.findall(pattern, line)}
    assert used and used <= subcommands()


def test_variables_are_ones_that_make_reads() -> None:
    used = {match for line in CODE for match in re.findall(r"\b([A-Z_]{4,})=", line)}
    assert used and all(re.search(rf"^{name} \?=", MAKEFILE, re.MULTILINE) for name in used)


def test_linked_files_exist() -> None:
    links = set(re.findall(r"\]\(([^)#:]+)\)", README)) - {"docs/screenshot.png"}
    missing = [link for link in links if not (REPOSITORY / link).exists()]
    assert not missing


def test_chapter_table_promises_what_is_there() -> None:
    """A notebook that is released is linked; a chapter without one is called planned."""
    for path in sorted((REPOSITORY / "course").glob("*/*.ipynb")):
        assert f"(course/{path.parent.name}/{path.name})" in README, f"{path.stem} is not linked"
    rows = [line for line in README.splitlines() if re.match(r"\| \d ", line)]
    assert len(rows) == 4
    for row in rows:
        assert ("](course/" in row) != ("planned" in row and "](" not in row), row


def test_it_says_what_was_not_tried() -> None:
    assert re.search(r"conda.*not (been )?tried", README, re.IGNORECASE | re.DOTALL)
