"""Views of users: the state, labels and day that a user at a plant sees."""

from typing import Final

from simulation.nodes import CODES
from simulation.workload import View
from simulation.world import HUB, World

SELECT_VERSIONS: Final = (
    "SELECT 'MATERIAL', code, version FROM materials WHERE plant_id = :plant"
    " UNION ALL SELECT kind, code, version FROM master_records WHERE plant_id = :plant"
)
SELECT_PARKED: Final = (
    "SELECT log_id, idx FROM projection_faults WHERE error IS NOT NULL AND key <> '*' ORDER BY log_id, idx"
)


def view_of(world: World, number: int) -> View:
    """Return the view of a user at a plant, and of headquarters on that plant."""
    replay = world.replays[number, number]
    directives = world.replays[HUB, -number].entries
    plant = world.plants[number]
    return View(
        state=replay.state,
        replay=replay,
        today=plant.clock.now().date(),
        plant=number,
        codes=tuple(CODES.values())[: len(world.plants)],
        labels=world.labels[CODES[number]],
        chance=world.chance,
        directed=[
            entry["payload"].get("hold") or entry["payload"]["recall"]
            for entry in directives
            if entry["type"] in {"HoldDirected", "RecallDirected"}
        ],
        everywhere=[code for one in world.plants for code in list(world.replays[one, one].state.codes)[-8:]],
        other_labels=[label for code, labels in world.labels.items() if code != CODES[number] for label in labels],
        versions={(kind, code): version for kind, code, version in plant.disk.peek(SELECT_VERSIONS, {"plant": number})},
        parked=[
            (log_id, index, world.replays[HUB, log_id].leaves[index].hex())
            for log_id, index in world.hub.disk.peek(SELECT_PARKED)
            if index < len(world.replays[HUB, log_id].leaves)  # the replay reads an entry after the exchange
        ],
    )
