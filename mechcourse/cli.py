"""The command `mechcourse`.

Each command imports what it needs when it runs, so that help is quick and a bare Python will do.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mechcourse import environment
from mechcourse.environment import ROOT, SetupProblem


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options, rest = parser().parse_known_args(arguments)
    if rest and not options.passes_on:
        parser().error(f"unknown: {' '.join(rest)}")
    options.rest = rest
    try:
        return options.run(options) or 0
    except SetupProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="mechcourse", description="A course on mechanistic interpretability."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, text: str, passes_on: bool = False):
        made = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.set_defaults(run=run, passes_on=passes_on)
        return made

    command("lab", _lab, "open the course in JupyterLab; options go to JupyterLab", True)
    command("doctor", _doctor, "what is missing, and the command that mends it")
    command("progress", _progress, "how far each exercise has come")
    reset = command("reset", _reset, "a fresh copy of a notebook; yours is kept beside it")
    reset.add_argument("notebook", help="ch01_attention/1_residual_stream")
    train = command("train", _train, "retrain a shipped model; without a name, list them")
    train.add_argument("name", nargs="?")
    train.add_argument("--seed", type=int, help="another seed than the recipe's")
    train.add_argument("--out", type=Path, help="where to write it (default: NAME.safetensors)")
    train.add_argument(
        "--ship", action="store_true", help="replace the shipped file and its figures"
    )
    grade = command("grade", _grade, "grade notebooks, chapter folders or submitted/")
    grade.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    grade.add_argument("--trust", action="store_true", help="run this code without a sandbox")
    grade.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    command("author", _author, "JupyterLab for instructors; options go to JupyterLab", True)
    release = command("release", _release, "make course/ from solutions/")
    release.add_argument("--zip", type=Path, metavar="FILE", help="also a cohort's bundle")
    release.add_argument("--register", action="store_true", help="also enter it in the gradebook")
    install = command("install", _install, "install the pinned packages into .venv")
    install.add_argument("extras", nargs="*", help="lab, test (default: both)")
    return top


def _lab(options: argparse.Namespace) -> int:
    from mechcourse import lab

    return lab.lab(options.rest)


def _author(options: argparse.Namespace) -> int:
    from mechcourse import lab

    return lab.author(options.rest)


def _install(options: argparse.Namespace) -> int:
    environment.ensure(set(options.extras) or {"lab", "test"})
    return 0


def _doctor(options: argparse.Namespace) -> int:
    environment.require_checkout()
    if not environment.in_venv() and environment.works(environment.venv_python()):
        return environment.run_in_venv(["doctor"])  # its packages are the ones to look at
    from mechcourse import doctor

    return doctor.doctor()


def _progress(options: argparse.Namespace) -> int:
    from mechcourse import landing, progress

    start = Path.cwd() if progress.record_folder() else ROOT / "work"
    done = progress.exercise_progress(start)
    for book in landing.notebooks(ROOT / "course"):
        chapter = book.path.parts[0]
        print(f"\n{landing.chapter_title(chapter)}: {book.title}")
        for exercise in book.exercises:
            state = done.pop((chapter, exercise), None)
            print(f"  {_words(state):14} {exercise}")
    if done:
        print("\nElsewhere")
        for (chapter, exercise), state in sorted(done.items()):
            print(f"  {_words(state):14} {chapter}/{exercise}")
    return 0


def _words(state) -> str:
    if state is None:
        return "-"
    tries = f"{state.attempts} attempt{'s' * (state.attempts != 1)}"
    return f"solved, {tries}" if state.solved else tries


def _reset(options: argparse.Namespace) -> int:
    from mechcourse import workspace

    try:
        backup, fresh = workspace.reset(options.notebook, ROOT / "course", ROOT / "work")
    except FileNotFoundError as problem:
        print(problem, file=sys.stderr)
        return 1
    if backup:
        print(f"Yours is now {os.path.relpath(backup)}")
    print(f"A fresh copy is in {os.path.relpath(fresh)}; reload it in JupyterLab.")
    return 0


def _train(options: argparse.Namespace) -> int:
    from mechcourse import modular_zoo, neurons_zoo, sae_zoo, superposition_zoo, zoo

    shelves = (
        *((zoo, zoo.RECIPES), (modular_zoo, modular_zoo.JOBS)),
        *((superposition_zoo, superposition_zoo.RECIPES), (sae_zoo, sae_zoo.RECIPES)),
        (neurons_zoo, neurons_zoo.RECIPES),
    )
    makers = {name: maker for maker, recipes in shelves for name in recipes}
    if options.name is None:
        for name, how in (pair for _, recipes in shelves for pair in recipes.items()):
            print(f"{name}: {how.about}; about {how.minutes:g} minutes on two cores")
        return 0
    if options.name not in makers:
        print(f"No model {options.name}. There are: {', '.join(makers)}", file=sys.stderr)
        return 1
    try:
        makers[options.name].retrain(
            options.name, seed=options.seed, out=options.out, ship=options.ship
        )
    except FileExistsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _grade(options: argparse.Namespace) -> int:
    from mechcourse import grading

    return grading.grade_paths(options.paths, trust=options.trust, json_file=options.json)


def _release(options: argparse.Namespace) -> int:
    from mechcourse import canonical, release

    try:
        for source in sorted((ROOT / "solutions").glob("*/*.ipynb")):
            if canonical.tidy(source):
                print(f"canonical form: {source.relative_to(ROOT).as_posix()}")
        changed = release.release(register=options.register)
    except release.ReleaseProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    print("\n".join(changed) or "course/ is up to date.")
    if options.zip:
        print(f"{options.zip}: {release.bundle(options.zip)} files")
    return 0
