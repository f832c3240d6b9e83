"""Our rooms have plain names: no dependency may bring a package of the same name."""

from importlib.metadata import packages_distributions

from infra.catalogue import ROOMS


def test_dependencies_then_none_ships_our_room_names() -> None:
    owners = packages_distributions()
    names = (*ROOMS, "benchmarks", "tests")
    assert {
        name: set(owners[name]) - {"batchloom"} for name in names if set(owners.get(name, [])) - {"batchloom"}
    } == {}
