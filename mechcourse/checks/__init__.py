"""Checks of the learner's answers, one file for each notebook.

A check is `check_x(answer, *, seed=0) -> None`. The learner calls it in the notebook, stock
nbgrader calls it in the released test cell, and `mechcourse.grading` calls it with a proxy for a
function that runs in another process.
"""

from mechcourse.checks._answer import Answer, check, evaluate
from mechcourse.checks._result import CheckFailed, CheckResult, NotAttempted

__all__ = ["Answer", "CheckFailed", "CheckResult", "NotAttempted", "check", "evaluate"]
