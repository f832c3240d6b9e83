"""Keys that change while the group goes on (F55): rotated at a plant or at the hub, revoked, made new, readmitted."""

from functools import partial
from typing import Final

from auth.actors import Role, system_actor
from auth.keys import public_key_text
from infra.settings import directive_origin
from plants.commands.group.enrolment import Enrolment
from plants.rules.values.refusals import Refusal
from simulation.nodes import GROUP, SimulatedPlant
from simulation.world import World
from sync_jobs.hub.enrolment import readmit, revoke
from sync_jobs.keys import hub_keys
from sync_jobs.plant import assertion_key_rotation, ledger_key_rotation
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

ADMINISTRATOR: Final = system_actor("cli", Role.ADMINISTRATOR)
SELECT_COUNTING: Final = "SELECT kid, kid_before FROM machines WHERE plant_number = ? AND revoked_us IS NULL"


def change_a_key(world: World, number: int) -> None:
    """Let somebody give a plant's ledger, its signing in, or the hub another key."""
    draw = world.chance.randrange(5)
    if draw == 0:
        rotate_hub_key(world)
    elif draw < 3:  # noqa: PLR2004 -- a plant has two keys.
        rotate_ledger_key(world, number)
    else:
        rotate_assertion_key(world, number)


def rotate_ledger_key(world: World, number: int) -> None:
    """Sign a plant's ledger with another key; where the machine stops in between, the next start goes on."""
    plant = world.plants[number]
    if not plant.running or plant.disk.busy:
        return
    following = plant.keys.prepare_ledger(partial(world.new_signer, plant.origin))
    world.run_log.hit("F55")
    world.tell(plant.name, "gives its ledger another key")
    if world.at_plant(number, lambda: ledger_key_rotation.rotate_ledger_key(plant.node, following)):
        plant.open()


def rotate_assertion_key(world: World, number: int) -> None:
    """Let a plant sign in with another key, once the hub says that it has it."""
    plant = world.plants[number]
    if not plant.running or plant.disk.busy:
        return
    following = plant.keys.prepare_assertion(world.new_assertion_key)
    taken = False

    def state() -> None:
        nonlocal taken
        try:
            assertion_key_rotation.announce_assertion_key(plant.node, following)
        except (HubUnreachable, Problem, Refusal) as error:
            world.tell(plant.name, f"does not get its new key across: {error}")
        else:
            taken = True

    world.run_log.hit("F55")
    if world.at_plant(number, state) and taken:
        world.tell(plant.name, "signs in with another key")
        plant.keys.switch_assertion()
        plant.open()


def rotate_hub_key(world: World) -> None:
    """Sign the hub's ledgers and receipts with another key."""
    hub = world.hub
    if not hub.running or hub.disk.busy:
        return
    following = hub.keys.prepare_ledger(partial(world.new_signer, hub.node.origin))
    world.run_log.hit("F55")
    world.tell("HUB", "gives itself another key")
    if world.at_hub(lambda: hub_keys.rotate_hub_key(hub.node, following)):
        hub.open()


def revoke_keys(world: World, number: int) -> None:
    """Let headquarters revoke a plant's keys, where they count."""
    hub, code = world.hub, world.plants[number].code
    if not hub.running or hub.disk.busy:
        return
    kids = {kid for row in hub.disk.peek(SELECT_COUNTING, (number,)) for kid in row if kid is not None}
    if not kids:
        return

    def run() -> None:
        with hub.disk.transaction() as session:
            revoke(session, code, "stolen 被盗", actor=ADMINISTRATOR, now=hub.clock.now())

    world.run_log.hit("F55")
    world.tell("HUB", f"revokes the keys of {code}")
    if world.at_hub(run):
        world.withdrawn |= kids


def counts(world: World, number: int) -> bool:
    """Tell whether a plant's keys count at the hub, whichever they are."""
    return bool(world.hub.disk.peek(SELECT_COUNTING, (number,)))


def let_back_in(world: World, number: int) -> None:
    """Bring a revoked plant's card to the hub; where its keys were shown before, make new ones for the next time."""
    plant, hub = world.plants[number], world.hub
    if counts(world, number) or not plant.running or plant.disk.busy or not hub.running or hub.disk.busy:
        return
    shown = False

    def run() -> None:
        nonlocal shown
        try:
            with hub.disk.transaction() as session:
                readmit(session, card(plant), actor=ADMINISTRATOR, now=hub.clock.now())
        except Refusal as refusal:
            world.tell("HUB", f"does not readmit {plant.code}: {refusal.code}")
            shown = True
        else:
            world.tell("HUB", f"readmits {plant.code}")

    world.at_hub(run)
    if shown:
        renew_keys(world, number)


def renew_keys(world: World, number: int) -> None:
    """Make both keys of a plant new, with no word to the hub."""
    plant = world.plants[number]
    plant.keys.prepare_assertion(world.new_assertion_key)
    following = plant.keys.prepare_ledger(partial(world.new_signer, plant.origin))
    world.tell(plant.name, "makes new keys")
    if world.at_plant(number, lambda: ledger_key_rotation.rotate_ledger_key(plant.node, following)):
        plant.keys.switch_assertion()
        plant.open()


def card(plant: SimulatedPlant) -> Enrolment:
    """Return what a plant's card says, as `batchloom plant card` prints it."""
    return Enrolment(
        number=plant.number,
        code=plant.code,
        name=f"Plant {plant.code}",
        origin=plant.origin,
        directive_origin=directive_origin(GROUP, plant.code),
        ledger_key=str(plant.keys.ledgers[-1].key),
        assertion_key=public_key_text(plant.keys.assertions[-1].public_key),
    )
