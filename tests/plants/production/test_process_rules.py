"""Mass balances add up unit by unit, and a blend is as old as its oldest part."""

from hypothesis import given
from hypothesis import strategies as st

from plants.rules.ledger.payloads import BatchStatement
from plants.rules.production.process_records import RUN_KINDS, amounts, blend, mass_balance

EDGE = st.tuples(
    st.sampled_from(["CONSUMED", "PRODUCED", "BY_PRODUCT", "CO_PRODUCT", "SAMPLE", "RETURNED"]),
    st.sampled_from(["KGM", "GRM", "H87"]),
    st.integers(1, 10**18),
)


def statement(**given: object) -> BatchStatement:
    batch: BatchStatement = {
        "id": 1,
        "code": "SH1-1",
        "material": "RM-MILK",
        "unit": "KGM",
        "made": "1",
        "produced_at": "2026-03-14T08:00:00.000000Z",
        "expires_on": None,
        "retest_on": None,
        "grade": "A",
        "supplier": "S1",
        "attributes": {},
        "disposition": "UNRESTRICTED",
    }
    return {**batch, **given}  # type: ignore[typeddict-item]


def test_balance_then_units_are_never_mixed() -> None:
    balance = mass_balance(
        [
            ("CONSUMED", "KGM", 100_000_000),
            ("CONSUMED", "KGM", 1),
            ("PRODUCED", "KGM", 70_000_000),
            ("SAMPLE", "GRM", 500_000_000),
            ("RETURNED", "KGM", 10_000_000),
        ]
    )
    assert amounts(balance.inputs) == {"KGM": "100.000001"}
    assert amounts(balance.outputs) == {"KGM": "70", "GRM": "500"}
    assert amounts(balance.returned) == {"KGM": "10"}
    assert amounts(balance.loss) == {"KGM": "20.000001", "GRM": "-500"}


@given(st.lists(EDGE))
def test_balance_then_all_that_went_in_is_accounted_for(edges: list[tuple[str, str, int]]) -> None:
    balance = mass_balance(edges)
    for unit in {unit for _, unit, _ in edges}:
        out = balance.outputs.get(unit, 0) + balance.returned.get(unit, 0) + balance.loss[unit]
        assert balance.inputs.get(unit, 0) == out
    assert set(balance.loss) == {unit for _, unit, _ in edges}


def test_blend_then_earliest_dates_and_what_all_agree_on() -> None:
    mixed = blend(
        [
            statement(expires_on="2026-04-02", attributes={"a": "1", "b": "2"}, supplier="S1"),
            statement(produced_at="2026-03-13T08:00:00.000000Z", attributes={"a": "1"}, supplier="S2"),
            statement(expires_on="2026-04-01", retest_on="2026-03-20", attributes={"a": "1", "b": "3"}),
        ],
        batch_id=9,
        code="SH1-9",
        made="3",
    )
    assert mixed == statement(
        id=9,
        code="SH1-9",
        made="3",
        produced_at="2026-03-13T08:00:00.000000Z",
        expires_on="2026-04-01",
        retest_on="2026-03-20",
        supplier=None,
        attributes={"a": "1"},
    )


def test_kinds_of_runs_then_only_those_that_people_feed() -> None:
    assert {"PRODUCTION", "REPACK", "REWORK", "RELABEL"} == RUN_KINDS
