"""Every refusal that the areas declare."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import MappingProxyType

import plants.rules
from plants.rules.values.refusals import RefusalCode


@cache
def declared_refusals() -> Mapping[str, RefusalCode]:
    """Return every declared refusal by its code, in the order of the codes.

    The areas are imported, so the answer is the same whichever module came first. Raises ValueError for a code that
    two areas declare.
    """
    found: dict[str, RefusalCode] = {}
    for area in iter_modules(plants.rules.__path__, f"{plants.rules.__name__}."):
        name = f"{area.name}.refusals"
        if not area.ispkg or find_spec(name) is None:
            continue
        for one in vars(import_module(name)).values():
            if isinstance(one, RefusalCode) and found.setdefault(one, one) is not one:
                raise ValueError(f"{one} is declared twice")
    return MappingProxyType({code: found[code] for code in sorted(found)})
