"""Modules that a command loads before it starts: users wait for them each time."""

import subprocess
import sys

HEAVY = ("alembic", "celery", "graphql", "strawberry", "starlette", "uvicorn", "boto3", "babel")
"""What a node needs to serve, to run jobs, to migrate and to reach S3, and a command like `doctor` does not."""


def test_command_line_then_nothing_heavy_is_loaded() -> None:
    code = f"import api.cli.tree, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
