"""The program: `batchloom`, or `python -m api`."""

import gc

from infra import garbage_collection


def main() -> None:
    """Run the command line."""
    # All that is loaded stays: looking through it for garbage meanwhile is a fifth of the time that a command takes to
    # start, and later each full search would go through it once more.
    with garbage_collection.paused():
        from api.cli.tree import app  # noqa: PLC0415 -- as said above.
    gc.freeze()
    app(prog_name="batchloom")


if __name__ == "__main__":
    main()
