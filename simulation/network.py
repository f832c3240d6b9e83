"""The virtual network: real requests and answers as bytes, and everything that can happen to them on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from types import TracebackType
from typing import Any, Final, Protocol, Self

from auth.tokens import issue_assertion
from simulation.clocks import HOUR, SECOND, TrueTime
from simulation.disks import Crash
from simulation.nodes import OK, Answer, Request, SimulatedHub
from simulation.run_log import RunLog
from sync_jobs.nodes import PlantNode
from sync_jobs.plant import http_hub_client
from sync_jobs.protocol.hub_client import HubTimedOut, HubUnreachable
from sync_jobs.protocol.wire import MEDIA_TYPE, PROTOCOL, PROTOCOL_HEADER, Limits, Parcel, pack, unpack

UNFIT: Final = 422
TIMEOUT_US: Final = 20 * SECOND
LATE_US_MAX: Final = 40 * SECOND


class Around(Protocol):
    """What the network needs of the world it is in."""

    time: TrueTime
    run_log: RunLog
    chance: Random
    hub: SimulatedHub

    def meanwhile(self, plant: int) -> None:
        """Let others act while a request or an answer is on its way."""
        ...

    def unfit(self, plant: int, request: Request, answer: Answer) -> None:
        """Hear that the hub found a request of a plant not to fit together."""
        ...

    def at_the_door(self, request: Request) -> Answer:
        """Let the hub answer, on whatever disk it has; raises Crash when its machine stops."""
        ...

    def hub_died(self) -> None:
        """Hear that the hub's machine stopped in the middle of a request."""
        ...


@dataclass(slots=True)
class Rates:
    """How often each thing happens to a request, in thousandths."""

    refused: int = 0
    request_lost: int = 0
    reply_lost: int = 0
    cut: int = 0
    doubled: int = 0
    late: int = 0
    slow: int = 0
    not_the_hub: int = 0
    later: int = 0
    altered: int = 0
    cached: int = 0


@dataclass(slots=True)
class Late:
    """A request that still wanders about after its sender gave it up."""

    at_us: int
    request: Request
    plant: int


@dataclass
class Network:
    """All links between plants and hub. A cut link stays cut until a moment; `one_way` lets requests through."""

    around: Around
    rates: Rates
    cut_until: dict[int, int] = field(default_factory=dict)
    one_way: dict[int, bool] = field(default_factory=dict)
    wandering: list[Late] = field(default_factory=list)
    cache: dict[tuple[int, str, str], Answer] = field(default_factory=dict)
    requests: int = 0

    def cut(self, plant: int, us: int, *, one_way: bool) -> None:
        """Let nothing, or only requests and no answers, through to or from a plant for so long."""
        self.cut_until[plant], self.one_way[plant] = self.around.time.us + us, one_way

    def heal(self) -> None:
        """Let everything through again, and lose what still wanders about."""
        self.cut_until.clear()
        self.wandering.clear()
        self.cache.clear()
        self.rates = Rates()

    def deliver_late(self) -> None:
        """Hand the hub what was given up on and arrives now after all; nobody waits for the answers."""
        due = [one for one in self.wandering if one.at_us <= self.around.time.us]
        self.wandering = [one for one in self.wandering if one.at_us > self.around.time.us]
        for one in due:
            self.around.run_log.hit("F6")
            answer = self._ask_hub(one.request, one.plant)
            said = "nobody" if answer is None else str(answer.status)
            self.tell(one.plant, f"{_short(one.request)} arrives late: {said}")

    def carry(self, plant: int, request: Request) -> Answer:
        """Carry a request to the hub and its answer back; raises HubUnreachable or HubTimedOut as a client would."""
        around, rates = self.around, self.rates
        self.requests += 1
        around.time.advance(around.chance.randint(5_000, 200_000))
        around.meanwhile(plant)
        if self.cut_until.get(plant, 0) > around.time.us:
            around.run_log.hit("F3" if self.one_way[plant] else "F2")
            if self.one_way[plant]:
                self._ask_hub(request, plant)
            self._time_out(plant, request, "is swallowed")
        self._before(plant, request)
        disturbed = self._disturbed(plant, request)
        if disturbed is not None:
            return disturbed
        answer = self._ask_hub(request, plant)
        if answer is not None and answer.status == OK:
            self.cache[plant, request.method, request.path] = answer
        if answer is None:
            raise HubUnreachable("the connection was reset")
        self.tell(plant, f"{_short(request)} {answer.status} {_code(answer)}")
        around.meanwhile(plant)
        if self._happens(rates.doubled):
            around.run_log.hit("F5")
            again = self._ask_hub(request, plant)
            self.tell(plant, f"{_short(request)} was delivered twice: {'nobody' if again is None else again.status}")
        if self._happens(rates.slow):
            around.run_log.hit("F7")
            around.run_log.hit("F18")
            around.time.advance(around.chance.randint(1, 15) * 60 * SECOND)
            around.meanwhile(plant)
        if self._happens(rates.reply_lost):
            around.run_log.hit("F3")
            self._time_out(plant, request, "has no answer")
        if self._happens(rates.cut):
            around.run_log.hit("F4")
            raise HubUnreachable("ReadError: the answer was cut")
        return answer

    def _before(self, plant: int, request: Request) -> None:
        around, rates = self.around, self.rates
        if self._happens(rates.refused):
            around.run_log.hit("F1")
            self.tell(plant, f"{_short(request)} refused")
            raise HubUnreachable("ConnectError: connection refused")
        if self._happens(rates.request_lost):
            around.run_log.hit("F2")
            self._time_out(plant, request, "is lost")
        if self._happens(rates.cut) and len(request.content) > 1:
            around.run_log.hit("F4")
            whole = request.content
            cut = replace(request, content=whole[: around.chance.randrange(len(whole))])
            self._ask_hub(cut, plant, honest=False)
            self.tell(plant, f"{_short(request)} is cut on the way")
            raise HubUnreachable("WriteError: the request was cut")
        if self._happens(rates.late):
            at = around.time.us + around.chance.randint(SECOND, LATE_US_MAX)
            self.wandering.append(Late(at, request, plant))
            self._time_out(plant, request, "is held up")

    def proxied(self, plant: int, request: Request) -> Answer | None:
        """Return what something between plant and hub answers in the hub's place, if it does."""
        if self._happens(self.rates.not_the_hub):
            self.around.run_log.hit("F8")
            self.tell(plant, f"{_short(request)} is answered by a proxy")
            return Answer(self.around.chance.choice((200, 502)), "text/html", b"<html>Sign in</html>")
        if self._happens(self.rates.later):
            self.around.run_log.hit("F8")
            status = self.around.chance.choice((429, 503))
            self.tell(plant, f"{_short(request)} {status}")
            return Answer(status, "application/problem+json", b'{"code":"BUSY"}', "3")
        return None

    def _disturbed(self, plant: int, request: Request) -> Answer | None:
        """Return what comes of a middlebox that alters what it carries, or answers from its cache; or nothing."""
        around, key = self.around, (plant, request.method, request.path)
        if request.path.endswith("/entries") and self._happens(self.rates.altered):
            altered = _altered(request, around.chance)
            if altered is not None:
                around.run_log.hit("F22")
                answer = self._ask_hub(altered, plant, honest=False)
                self.tell(plant, f"{_short(request)} is altered on the way: {'' if answer is None else answer.status}")
                raise HubUnreachable("ReadError: the middlebox hung up")
        if self._happens(self.rates.cached) and key in self.cache:
            around.run_log.hit("F8")
            self.tell(plant, f"{_short(request)} is answered from a cache")
            return self.cache[key]
        return None

    def tell(self, plant: int, what: str) -> None:
        """Add a line to the run log."""
        self.around.run_log.tell(self.around.time.us, f"net {plant}", what)

    def _time_out(self, plant: int, request: Request, how: str) -> None:
        self.around.time.advance(TIMEOUT_US)
        self.tell(plant, f"{_short(request)} {how}")
        self.around.meanwhile(plant)
        raise HubTimedOut("ReadTimeout")

    def _ask_hub(self, request: Request, plant: int, *, honest: bool = True) -> Answer | None:
        hub = self.around.hub
        if not hub.running:
            return None
        try:
            answer = self.around.at_the_door(request)
            if answer.status == UNFIT and honest:
                self.around.unfit(plant, request, answer)
            return answer
        except Crash:
            self.tell(plant, f"{_short(request)} and the hub stops in the middle")
            self.around.hub_died()
            return None

    def _happens(self, thousandths: int) -> bool:
        return thousandths > 0 and self.around.chance.randrange(1000) < thousandths


class NetworkDoor(http_hub_client.HttpHubClient):
    """The production door of a plant, with the virtual network where HTTPS would be."""

    def __init__(self, node: PlantNode, carry: Callable[[Request], Answer]) -> None:
        self._node = node
        self._carry = carry

    def __enter__(self) -> Self:
        """Return the door."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close nothing."""

    def _ask(self, method: str, path: str, **request: Any) -> bytes:
        node = self._node
        assertion = issue_assertion(
            node.assertion_key, origin=node.origin, hub_issuer=node.hub_key.name, clock=node.clock
        )
        headers = {
            **request.get("headers", {}),
            PROTOCOL_HEADER: str(PROTOCOL),
            "Authorization": f"Bearer {assertion}",
        }
        sent = Request(method, path, request.get("params", {}), headers, request.get("content", b""))
        answer = self._carry(sent)
        if answer.status == OK and answer.media in {"application/json", MEDIA_TYPE}:
            return answer.content
        raise http_hub_client._problem(answer.status, answer.media, answer.content, answer.retry_after)  # noqa: SLF001 -- the reading of answers is what runs in production.


def days(count: int) -> int:
    """Return days in microseconds of virtual time."""
    return count * 24 * HOUR


def _altered(request: Request, chance: Random) -> Request | None:
    """Return a parcel with another digit in one of its entries, packed again so that nothing else tells."""
    if request.method != "POST":
        return None
    parcel = unpack(request.content, Limits())
    if not parcel.bodies:
        return None
    bodies = list(parcel.bodies)
    which = chance.randrange(len(bodies))
    amount = bodies[which].find(b'"amount":"')
    at = amount + len(b'"amount":"') if amount >= 0 else bodies[which].find(b'"recorded_at":"') + 33
    digit = b"7" if bodies[which][at : at + 1] != b"7" else b"8"
    bodies[which] = bodies[which][:at] + digit + bodies[which][at + 1 :]
    return replace(request, content=pack(Parcel(tuple(bodies), parcel.note)))


def _short(request: Request) -> str:
    last = request.path.rpartition("/")[2]
    at = request.query.get("from", request.query.get("old"))
    return f"{request.method} {last}" + ("" if at is None else f" {at}")


def _code(answer: Answer) -> str:
    if answer.media != "application/problem+json":
        return ""
    return answer.content.decode()[:80]
