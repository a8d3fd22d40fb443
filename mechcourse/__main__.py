"""`python -m mechcourse`, the same commands as `mechcourse`, also before anything is installed."""

import sys

# Before anything is imported, and without f-strings: an older Python has to be able to read it.
if sys.version_info < (3, 11):  # noqa: UP036
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit("The course needs Python 3.11 or newer; this is " + found + " at " + sys.executable)

from mechcourse.cli import main

sys.exit(main())
