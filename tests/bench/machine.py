"""Machine: the facts beside every figure, and what /proc tells of a process."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("kafka-python", "numpy", "msgspec")


def facts() -> dict[str, str]:
    """Cores, CPU, memory, versions and the day; nothing that names the machine or its folders."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    return " ".join((found.get("model name") or platform.machine()).split()) + (
        f", model {found['model']}" if "model" in found else ""
    )


def family(pid: int) -> list[int]:
    """The process and all that it started and they started, as far as they still run."""
    lists = (task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children"))
    return [pid, *(one for children in lists for child in children for one in family(int(child)))]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes with all their threads, and of children that have ended, in seconds."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> tuple[float, float]:
    """Resident memory now and at its highest, in MB of 1,000,000 bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, peak = (int(status.split(f"{name}:")[1].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, peak
