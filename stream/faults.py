"""Faults that more than one part of the shell raises, and the exit statuses that tell them apart."""

from typing import Final

EXIT_FAULT, EXIT_SETTINGS, EXIT_BUDGET = 1, 2, 3  # each wants an operator: a restart meets the same fault again
EXIT_TRY_AGAIN: Final = 75  # EX_TEMPFAIL of sysexits.h: a fresh process may mend it


class BrokerFault(Exception):
    """A broker that cannot be had, reached or used; says which, what it refused and what to do."""
