"""every.py: importing it registers all cases, in this order."""

import greeting  # noqa: F401
import commands  # noqa: F401
import order  # noqa: F401
import paths  # noqa: F401
import replies  # noqa: F401
import text  # noqa: F401
import smuggling  # noqa: F401
import limits  # noqa: F401
import pipelining  # noqa: F401
import size  # noqa: F401
import chunking  # noqa: F401
import smtputf8  # noqa: F401
import dsn  # noqa: F401
import starttls  # noqa: F401
import auth  # noqa: F401
import small  # noqa: F401
import foreign  # noqa: F401
