"""Output of a campaign: lines while it runs, logs after a failure, figures at its end."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.scenarios.processes import Group


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def say_logs(group: Group) -> None:
    """Print what the processes of a group wrote into their logs."""
    for log, text in group.logs():
        say(f"--- {log}\n{text}")


def publish(figures: Mapping[str, Any], path: Path) -> None:
    """Print the figures, and write them as JSON."""
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")
    say(text)
