"""Fresh databases for tests that need one to themselves."""

import secrets

from infra.postgres import EmbeddedPostgres


def fresh_database(server: EmbeddedPostgres, *, template: str = "template1") -> str:
    """Make a database that no other test knows, as a copy of the template, and return its address."""
    name = f"test_{secrets.token_hex(6)}"
    server.create_database(name, template=template)
    return server.url(name)
