"""every.py: importing it registers all cases, in this order."""

import greeting  # noqa: F401
import commands  # noqa: F401
import order  # noqa: F401
import paths  # noqa: F401
import replies  # noqa: F401
import text  # noqa: F401
import smuggling  # noqa: F401
import limits  # noqa: F401
