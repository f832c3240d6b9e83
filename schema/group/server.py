"""The node that answers: its role, plant, version and limits."""

from datetime import datetime
from importlib.metadata import version

from infra.messages import languages
from infra.roles import Role
from plants.rules.values.enums import DescribedEnum
from schema.engine import limits
from schema.engine.context import Info
from schema.engine.fields import described, enum_type, field, object_type
from schema.engine.operations import query
from schema.group.plants import Plant, owner


@enum_type
class NodeRole(DescribedEnum):
    """Role of a node."""

    PLANT = "PLANT", "The node records the work of one plant in that plant's ledger."
    HUB = "HUB", "The node collects the ledgers of all plants and directs holds and master data to them."


@object_type
class RequestLimits:
    """Limits of one request at this node."""

    body_bytes_max: int = described("Largest body in bytes.")
    tokens_max: int = described("Largest number of tokens of a document.")
    depth_max: int = described("Largest depth of a document.")
    aliases_max: int = described("Largest number of aliases in a document.")
    page_nodes_max: int = described("Largest number of nodes of a page.")
    rows_max: int = described("Largest number of rows of all lists in an answer.")
    cost_max: int = described("Largest cost of an operation.")
    cost_per_minute_max: int = described("Largest cost of a user's operations in a minute.")


@object_type
class Server:
    """The node that answers."""

    role: NodeRole = described("Role of the node.")
    version: str = described("Version of the program.")
    time: datetime = described("Time of the node's clock.")
    languages: list[str] = described("Languages of messages, as BCP 47 tags. There are fewer than 100.")
    limits: RequestLimits = described("Limits of a request.")

    @field("Plant of the node. Null at the hub.")
    async def plant(self, info: Info) -> Plant | None:
        return None if info.services.role is Role.HUB else await owner(info, info.services.plant)


@query("Returns the node that answers.", permission=None)
async def server(info: Info) -> Server:
    return Server(
        role=NodeRole(info.services.role.name),
        version=version("batchloom"),
        time=info.services.clock.now(),
        languages=[language.replace("_", "-") for language in languages()],
        limits=RequestLimits(
            body_bytes_max=limits.BODY_BYTES_MAX,
            tokens_max=limits.TOKENS_MAX,
            depth_max=limits.DEPTH_MAX,
            aliases_max=limits.ALIASES_MAX,
            page_nodes_max=limits.PAGE_MAX,
            rows_max=limits.ROWS_MAX,
            cost_max=limits.COST_MAX,
            cost_per_minute_max=info.services.budgets.per_minute,
        ),
    )
