"""Leases with fencing tokens: one holder per task."""

from sqlmodel import SQLModel

from infra.roles import Keeping, table_options
from plants.store.sql.columns import big, text, text_key


class Lease(SQLModel, table=True):
    """The holder of a task until `until_us`; `token` counts the holders, so that a stale holder is detected."""

    __tablename__ = "leases"
    __table_args__ = table_options(Keeping.LOCAL)

    name: str = text_key()
    holder: str = text()
    token: int = big()
    until_us: int = big()
