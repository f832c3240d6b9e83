"""Types of command-line options: a count, and one of several names."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Collection


def count(text: str) -> int:
    """Return the number in a text. Raises ArgumentTypeError below 1, and ValueError where there is none."""
    if (value := int(text)) < 1:
        raise ArgumentTypeError(f"{value} is less than 1")
    return value


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return a type that accepts only these names; argparse's own choices refuse an empty list of arguments."""

    def name(text: str) -> str:
        if text not in names:
            raise ArgumentTypeError(f"{text} is none of {', '.join(names)}")
        return text

    return name
