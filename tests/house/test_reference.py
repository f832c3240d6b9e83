"""Reference pages: committed as they are generated."""

import pytest

from api.http.routes import ROUTES, Caller
from api.reference import FOLDER, PAGES, permissions
from auth.permissions import Permission
from schema.engine.operations import operations


@pytest.mark.parametrize("name", PAGES)
def test_page_committed_then_it_is_the_one_generated(name: str) -> None:
    committed = (FOLDER / name).read_text(encoding="utf-8")

    assert committed == PAGES[name](), f"run `make reference`: docs/reference/{name} is not up to date"


def test_permissions_then_every_operation_and_route_is_on_the_page_and_no_permission_without_roles() -> None:
    page = permissions()

    missing = [one.name for one in operations() if f"| `{one.name}` |" not in page]
    missing += [one.path for one in ROUTES if f"| `{one.path}` |" not in page]
    assert missing == []
    assert [one for one in Permission if not one.roles or not one.description] == []
    assert {one.caller for one in ROUTES} == set(Caller)
