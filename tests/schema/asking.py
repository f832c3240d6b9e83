"""A node that answers GraphQL without HTTP, with its real store and writer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from auth.actors import Actor, ActorKind, Grant, Role
from infra.clock import FixedClock
from infra.database import Store
from infra.ids import new_id
from infra.messages import Language
from infra.roles import Role as NodeRole
from infra.writer import Writer
from plants.rules.identification.codes import HUB
from schema.engine.commits import CommitNotifier
from schema.engine.connections import Cursors
from schema.engine.context import Context
from schema.engine.contracts import contract
from schema.engine.downloads import Tickets
from schema.engine.masking import presented
from schema.engine.node_services import NodeServices
from tests.coded import check_codes
from tests.factories import Plant, rows_of
from tests.schema.paths import check_paths, mutation_text

JSON = dict[str, Any]


def person(number: int, *roles: tuple[int, Role]) -> Actor:
    """Return a user with roles at plants; plant 0 is the whole group."""
    grants = frozenset(Grant(plant, role) for plant, role in roles)
    return Actor(actor_id=f"person-{number}", name=f"Person {number}", kind=ActorKind.PERSON, grants=grants)


OPERATOR = person(1, (1, Role.OPERATOR))
QUALITY = person(2, (1, Role.QUALITY))
MANAGER = person(3, (1, Role.MANAGER))
DIRECTOR = person(9, (HUB, Role.HEADQUARTERS))
AUDITOR = person(8, (HUB, Role.AUDITOR))


class Served:
    """A node as those who ask it see it; close it after the test."""

    def __init__(self, store: Store, clock: FixedClock, plant: int) -> None:
        self.role = NodeRole.PLANT if plant else NodeRole.HUB
        commits = CommitNotifier()
        self.writer = Writer(store, committed=commits.notify)
        self.services = NodeServices(
            role=self.role,
            plant=plant,
            store=store,
            writer=self.writer,
            clock=clock,
            cursors=Cursors(b"a secret of a test"),
            tickets=Tickets(b"another secret of a test, long enough", clock),
            commits=commits,
        )
        self._contract = contract(self.role)

    async def answer(self, actor: Actor, document: str, language: Language = "en", **variables: Any) -> JSON:
        """Return data and errors as a caller gets them."""
        context = Context(self.services, actor, language=language)
        try:
            result = await self._contract.execute(document, variables, context)
        finally:
            await context.close()
        errors = [error.formatted for error in presented(result.errors or [], context)]
        answer = {"data": result.data, **({"errors": errors} if errors else {})}
        check_codes(answer)
        return answer

    async def ask(self, actor: Actor, document: str, **variables: Any) -> JSON:
        """Return the data of a query that has no errors."""
        answer = await self.answer(actor, document, **variables)
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])

    async def refuses(self, actor: Actor, document: str, **variables: Any) -> list[str | int]:
        """Return the path of the one field that a document may not read for want of a permission."""
        (error,) = (await self.answer(actor, document, **variables))["errors"]
        assert error["extensions"] == {"code": "NOT_PERMITTED"}
        return list(error["path"])

    async def do(self, actor: Actor, mutation: str, wanted: str, language: Language = "en", /, **said: Any) -> JSON:
        """Run a mutation with this input, under a new request id unless one is given, and return its answer."""
        given = {"requestId": new_id(), **said}
        document, variables = mutation_text(self.role, mutation, wanted, given)
        answer = await self.answer(actor, document, language, **variables)
        assert "errors" not in answer, answer["errors"]
        done: JSON = answer["data"][mutation]
        check_paths(self.role, mutation, given, done)
        return done

    async def validate(self, actor: Actor, mutation: str, /, **said: Any) -> JSON:
        """Return the answer of a mutation that is only validated, after a check that no table has changed."""
        before = rows_of(self.services.store)
        wanted = "... on Validated { validatedAt eventType alreadyRecorded }"
        done = await self.do(actor, mutation, wanted, validateOnly=True, **said)
        assert rows_of(self.services.store) == before
        return done

    async def follow(
        self, actor: Actor, document: str, *, context: Context | None = None, **variables: Any
    ) -> AsyncGenerator[JSON]:
        """Yield what a subscription answers, until it is closed. With a context, its actor can be changed meanwhile."""
        context = context or Context(self.services, actor, language="en", kept=False)
        events: Any = await self._contract.subscribe(document, variables, context)
        async with aclosing(events):
            async for event in events:
                errors = [error.formatted for error in event.errors or []]
                yield {"data": event.data, **({"errors": errors} if errors else {})}

    def close(self) -> None:
        self.writer.close()


def served(plant: Plant) -> Served:
    """Return a plant's own node."""
    return Served(plant.store, plant.clock, plant.number)
