"""A day at headquarters, after a week at a plant: python hub_day.py SETTINGS."""

import asyncio

from batchloom_hub import (
    BatchAliasFilter,
    BatchesBatchesNodes,
    BatchFilter,
    ChangeKind,
    ChangeKindFilter,
    ChangeRequestFilter,
    ChangeRequestsChangeRequestsNodes,
    ChangeState,
    ChangeVerdict,
    Client,
    CodeFilter,
    DecideChangeRequestInput,
    DirectiveState,
    HoldKind,
    HubDirectiveFilter,
    MaterialFilter,
    MaterialsMaterialsNodes,
    NameFilter,
    PlaceHoldInput,
    SaveMaterialInput,
    TraceDirection,
    TraceInput,
)
from node import SETTINGS, request_id, say, say_entry, signed_in, until

MILK, YOGHURT = (f"{SETTINGS['mark']}-{goods}" for goods in ("MILK", "YOGHURT"))
PLANTS = ["SH1", "SZ2"]


class Day:
    """What a person at headquarters does in a day."""

    def __init__(self, hub: Client) -> None:
        self.hub = hub

    async def batch(self, alias: str, plants: int) -> BatchesBatchesNodes:
        """Return a batch by its alias once the hub knows it at so many plants."""

        async def ask() -> BatchesBatchesNodes | None:
            found = (
                await self.hub.batches(BatchFilter(aliases=BatchAliasFilter(value=NameFilter(eq=alias))))
            ).batches.nodes
            return next((one for one in found if len(one.at_plants) == plants), None)

        return await until(ask)

    async def watch(self) -> None:
        """Every plant replicates, and no entry waits for a person."""
        for plant in (await self.hub.plants()).plants:
            say(plant.code, plant.replication.state.value if plant.replication else "")
        say("parked", len((await self.hub.parked_entries()).parked_entries.nodes))
        say("alarms", len((await self.hub.alarms()).alarms.nodes))

    async def follow(self, milk: str) -> None:
        """Follow the milk to both plants."""
        trace = (await self.hub.trace(TraceInput(batchCodes=[milk], direction=TraceDirection.FORWARD))).trace
        say("trace", trace.summary.batch_count, "batches", trace.summary.process_count, "processes")

    async def define(self, code: str) -> None:
        """Define cream at both plants. What is not given stays as it is at the plant that has it."""
        cream = SaveMaterialInput(
            requestId=request_id(),
            reason="One cream for all",
            code=code,
            name="Group cream",
            unitCode="KGM",
            shelfLifeDays=20,
        )
        say_entry(of=(await self.hub.save_material(cream, PLANTS)).save_material)

        async def saved() -> list[MaterialsMaterialsNodes] | None:
            found = (await self.hub.materials(MaterialFilter(code=CodeFilter(eq=code)))).materials.nodes
            named = [one for one in found if one.name == "Group cream"]
            return named if len(named) == len(PLANTS) else None

        for one in await until(saved):
            say("material", one.plant.code, one.shelf_life_days, one.retest_days or "none")

    async def extend(self, yoghurt: str) -> None:
        """Extend the expiry that the plant asked about."""
        wanted = ChangeRequestFilter(
            batchCode=CodeFilter(eq=yoghurt), kind=ChangeKindFilter(eq=ChangeKind.EXPIRY_EXTENSION)
        )

        async def asked(*states: ChangeState) -> ChangeRequestsChangeRequestsNodes | None:
            found = (await self.hub.change_requests(wanted)).change_requests.nodes
            return next((one for one in found if one.state in states), None)

        change = await until(lambda: asked(ChangeState.REQUESTED))
        decision = DecideChangeRequestInput(
            requestId=request_id(),
            changeRequestId=change.id,
            proposal=change.proposal,
            verdict=ChangeVerdict.APPROVED,
            comment="The cold chain held",
        )
        say_entry(of=(await self.hub.decide_change_request(decision)).decide_change_request)
        say("change request", (await until(lambda: asked(ChangeState.APPLIED))).state.value)

    async def hold(self, yoghurt: str) -> None:
        """Hold the yoghurt everywhere, until both plants say that they hold it."""
        order = PlaceHoldInput(requestId=request_id(), reason="A complaint", batchCode=yoghurt, kind=HoldKind.QUALITY)
        say_entry(of=(await self.hub.place_hold(order)).place_hold)

        async def answered() -> int | None:
            found = (await self.hub.directives(HubDirectiveFilter(key=CodeFilter(eq=yoghurt)))).hub_directives.nodes
            states = [one.state for one in found if one.type_ == "HoldDirected"]
            return len(states) if states and set(states) == {DirectiveState.APPLIED} else None

        say("directives", await until(answered))
        for one in (await self.batch(YOGHURT, 2)).at_plants:
            say("stock", one.plant.code, "usable" if one.blocked_by is None else one.blocked_by.code)


async def play() -> None:
    """Play the day."""
    day = Day(Client(**signed_in("HUB", "chen.jing")))
    milk, yoghurt = await day.batch(MILK, 1), await day.batch(YOGHURT, 2)
    await day.watch()
    await day.follow(milk.code)
    await day.define(f"{SETTINGS['mark']}-CREAM")
    await day.extend(yoghurt.code)
    await day.hold(yoghurt.code)


asyncio.run(play())
