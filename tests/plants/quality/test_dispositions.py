"""Dispositions and holds: every way in which goods can be blocked."""

from datetime import date

import pytest

from plants.rules.quality.dispositions import Disposition, check_usable, is_expired
from plants.rules.quality.holds import Hold, HoldKind
from plants.rules.quality.refusals import BATCH_EXPIRED, BATCH_ON_HOLD, BATCH_RESTRICTED
from plants.rules.values.refusals import Refusal, RefusalCode

TODAY = date(2026, 3, 14)
D = Disposition


@pytest.mark.parametrize(
    "expires_on,expired", [(None, False), ("2026-03-13", True), ("2026-03-14", False), ("2026-03-15", False)]
)
def test_goods_are_usable_to_the_end_of_their_expiry_day(expires_on: str | None, *, expired: bool) -> None:
    assert is_expired(expires_on, TODAY) is expired


def test_usable_goods_pass() -> None:
    check_usable("B1", D.UNRESTRICTED, (), "2026-03-14", TODAY)


@pytest.mark.parametrize(
    "disposition,holds,expires_on,code",
    [
        (D.UNRESTRICTED, (Hold(3, HoldKind.RECALL, "glass"),), None, BATCH_ON_HOLD),
        (D.UNRESTRICTED, (), "2026-03-13", BATCH_EXPIRED),
        *((disposition, (), None, BATCH_RESTRICTED) for disposition in D if disposition != D.UNRESTRICTED),
    ],
)
def test_blocked_goods_are_refused_by_what_blocks_them(
    disposition: Disposition, holds: tuple[Hold, ...], expires_on: str | None, code: RefusalCode
) -> None:
    with pytest.raises(Refusal) as refused:
        check_usable("B1", disposition, holds, expires_on, TODAY)

    assert refused.value.code is code
    assert refused.value.data["batch"] == "B1"
