"""Grade notebooks: each learner's code in a process of its own, judged here by the course's checks.

`checks` says what is right, `worker` runs what a learner wrote, `codec` carries values between the
two, `gradebook` writes scores where nbgrader finds them.
"""

from pathlib import Path


def grade_paths(paths: list[Path], trust: bool, json_file: Path | None) -> int:
    """Grade notebooks, chapter folders or nbgrader's `submitted/`, and print a table.

    Args:
        trust: run the learners' code with the rights of whoever grades; without it nothing is run.
        json_file: where to write the results as a list of rows.

    Returns:
        The exit code: 0, or 2 where something that was given could not be graded at all.
    """
    from mechcourse.grading.grade import grade_paths as run

    return run(paths, trust, json_file)
