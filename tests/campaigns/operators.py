"""People who write while everything around them fails, and remember every answer that they got."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from infra.ids import new_id
from tests.scenarios.preparing import PLANTS
from tests.scenarios.processes import Node, Person, mutation_document

RECEIVED: Final = "... on BatchReceived { entry { index leafHash } batch { code } }"
MOVED: Final = "... on BatchMoved { entry { index leafHash } }"
AGAIN_SECONDS: Final = 0.05  # until the same request is sent once more
PAUSE_SECONDS: Final = 0.15  # of a user between two orders
RECEIVED_KG: Final = 8
MOVES: Final = 3  # of 1 kg from each batch, at most
LATER: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An operation that a node answered: its request, and the position of its entry in the ledger."""

    request: str
    index: int
    leaf: str
    seconds: float  # of the monotonic clock, when the answer came
    tries: int


@dataclass
class Operator:
    """One person at one plant; `unexpected` holds every answer that is neither a success nor a plea to come again.

    `put_off` holds those pleas, and the times when there was no answer; `slowest_seconds` is how long one ever took.
    """

    node: Node
    name: str
    chance: random.Random
    clock: Any
    pause_seconds: float = PAUSE_SECONDS
    acknowledged: list[Acknowledged] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)
    _person: Person | None = None
    _stock: list[tuple[str, int]] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """The number of answered operations."""
        return len(self.acknowledged)

    def work(self) -> None:
        """Write until `stopping` is set; the last request is sent again until it is answered, too."""
        for mutation, wanted, order in self._orders():
            answer = self.until_answered(mutation, wanted, order)
            if answer is not None and mutation == "receiveBatch":
                self._stock.append((str(answer["batch"]["code"]), MOVES))
            if self.stopping.wait(self.chance.uniform(0.2, 1.8) * self.pause_seconds):
                break
        if self._person is not None:
            self._person.close()

    def until_answered(self, mutation: str, wanted: str, order: dict[str, Any]) -> dict[str, Any] | None:
        """Send one order under one request id until the node has answered it, however often that takes."""
        request, tries = new_id(), 0
        given = {"input": {"requestId": request, **order}}
        while True:
            tries += 1
            answer = self._try(mutation_document(mutation, wanted), given)
            if answer is None:
                threading.Event().wait(AGAIN_SECONDS)
                continue
            said = (answer.get("data") or {}).get(mutation)
            if said is None or "entry" not in said:
                self.unexpected.append(f"{mutation} {order}: {answer}")
                return None
            entry = said["entry"]
            self.acknowledged.append(
                Acknowledged(request, int(entry["index"]), str(entry["leafHash"]), self.clock(), tries)
            )
            return dict(said)

    def _try(self, document: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """Send once; None when there was no answer, or one that asks to come again."""
        try:
            if self._person is None:
                self._person = Person(self.node, self.name)
            began = self.clock()
            answer = self._person.post(document, given)
            self.slowest_seconds = max(self.slowest_seconds, self.clock() - began)
        except httpx2.TransportError as error:
            self.put_off.append(type(error).__name__)
            return None
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            # The token has run out, as it does after ten minutes.
            self._person.close()
            self._person = None
            return None
        if answer.status_code in LATER:
            self.put_off.append(f"{answer.status_code} {answer.text[:200]}")
            return None
        return dict(answer.json())

    def _orders(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        while True:
            if self._stock and self.chance.random() < 0.5:
                place = self.chance.randrange(len(self._stock))
                batch, left = self._stock.pop(place)
                if left > 1:
                    self._stock.append((batch, left - 1))
                places = {"fromLocationCode": "A1", "toLocationCode": "B1"}
                yield "moveBatch", MOVED, {"batchCode": batch, "quantity": {"amount": "1", "unit": "KGM"}, **places}
            else:
                quantity = {"amount": str(RECEIVED_KG), "unit": "KGM"}
                yield "receiveBatch", RECEIVED, {"materialCode": "MILK", "quantity": quantity, "locationCode": "A1"}


@dataclass
class Headquarters:
    """Somebody at the hub who sends every plant a new material now and then."""

    node: Node
    name: str
    pause_seconds: float
    accepted: int = 0
    unexpected: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Send until `stopping` is set."""
        while not self.stopping.is_set():
            # Signed in anew each time: a token runs out after ten minutes.
            with closing(Person(self.node, self.name)) as person:
                order = {"code": f"M{self.accepted:04}", "name": "Goat milk 羊奶", "unitCode": "KGM"}
                began = time.monotonic()
                answer = person.say("saveMaterial", plantCodes=list(PLANTS), **order)
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            if answer["__typename"] == "DirectivesSent":
                self.accepted += 1
            else:
                self.unexpected.append(str(answer))
            self.stopping.wait(self.pause_seconds)
