"""Faults that more than one part of the shell raises."""


class BrokerFault(Exception):
    """A broker that cannot be had, reached or used; says which, what it refused and what to do."""
