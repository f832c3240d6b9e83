"""Changes of fields: differences of entries are read by their kind."""

import pytest

from plants.rules.quality.holds import HoldKind
from schema.audit.differences import HoldLift, difference


@pytest.mark.parametrize("kind", HoldKind)
def test_hold_of_each_kind_then_its_lift_is_read(kind: HoldKind) -> None:
    lift = difference({"field": "hold:7", "before": f"{kind}: Seal: broken", "after": "LIFTED"})

    assert isinstance(lift, HoldLift)
    assert (lift.hold_index, lift.kind, lift.reason) == (7, kind, "Seal: broken")
