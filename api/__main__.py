"""The program: `batchloom`, or `python -m api`."""

import gc

from infra import garbage_collection


def main() -> None:
    """Run the command line."""
    # Everything that is imported stays. Garbage collection during the imports takes a fifth of the start-up time of a
    # command. After `freeze`, later collections skip these objects.
    with garbage_collection.paused():
        from api.cli.tree import app  # noqa: PLC0415 -- as said above.
    gc.freeze()
    app(prog_name="batchloom")


if __name__ == "__main__":
    main()
