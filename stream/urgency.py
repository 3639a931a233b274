"""Urgency: the four levels and what they are in other people's scales (the table of the README)."""

from enum import StrEnum
from typing import Final, NamedTuple


class Urgency(StrEnum):
    """How soon a person who must act has to act; ordered from `low` to `critical`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return LEVELS.index(self)


LEVELS: Final = tuple(Urgency)


class OtherScales(NamedTuple):
    """One level as ninjs urgency (1 most urgent), CAP urgency and severity, and CloudEvents severitynumber."""

    ninjs: int
    cap_urgency: str
    cap_severity: str
    severity_number: int


SCALES: Final = {
    Urgency.CRITICAL: OtherScales(1, "Immediate", "Extreme", 21),
    Urgency.HIGH: OtherScales(2, "Expected", "Severe", 17),
    Urgency.MEDIUM: OtherScales(4, "Future", "Moderate", 13),
    Urgency.LOW: OtherScales(6, "Unknown", "Minor", 9),
}
