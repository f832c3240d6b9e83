"""Every refusal that the areas declare."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import plants.rules
from infra.discovery import modules_named
from plants.rules.values.refusals import RefusalCode


@cache
def declared_refusals() -> Mapping[str, RefusalCode]:
    """Return every declared refusal by its code, in the order of the codes.

    The areas are imported, so the answer is the same whichever module came first. Raises ValueError for a code that
    two areas declare.
    """
    found: dict[str, RefusalCode] = {}
    for module in modules_named(plants.rules, "refusals"):
        for one in vars(module).values():
            if isinstance(one, RefusalCode) and found.setdefault(one, one) is not one:
                raise ValueError(f"{one} is declared twice")
    return MappingProxyType({code: found[code] for code in sorted(found)})
