"""A run from its seed: some hundred steps under faults, then calm, in which all must come level; then the reckoning."""

import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from infra.ids import owned_chance
from simulation.calming import come_level
from simulation.group import IdSource
from simulation.life import Life
from simulation.meetings import count_meetings
from simulation.options import Swarm, draw
from simulation.reckoning import glance, reckon
from simulation.story import Story, Violation
from simulation.watching import Watch
from simulation.world import World

GLANCE_EVERY: Final = 8  # steps: the hub is asked whether its answers are complete


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; `invariant` is empty when nothing was violated."""

    seed: int
    steps: int
    invariant: str
    text: str
    digest: str
    hits: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    lines: tuple[str, ...] = ()
    trace: str = ""


def run(seed: int, swarm: Swarm | None = None) -> Outcome:
    """Run one seed to its end or its first violation. The same seed gives the same digest on every machine."""
    chance = Random(f"steps {seed}")
    options = swarm or draw(Random(f"swarm {seed}"))
    story = Story()
    lots = Random(f"lots {seed}")
    invariant, text, trace, steps = "", "", "", 0
    with owned_chance(IdSource(Random(f"ids {seed}")), lots):
        world = World(chance, options, story)
        life = Life(world)
        watch = Watch(life)
        try:
            watch.look()
            for _ in range(options.steps):
                life.step()
                watch.look()
                steps += 1
                if steps % GLANCE_EVERY == 0:
                    glance(life)
            steps += come_level(life, watch)
            count_meetings(world)
            reckon(life, watch)
        except Violation as violation:
            invariant, text = violation.invariant, str(violation)
        except Exception as error:  # noqa: BLE001 -- whatever nobody expected is what a run is looking for.
            invariant, text = "SIM", f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
        finally:
            world.close()
    story.tell(world.time.us, "end", text or "level")
    return Outcome(seed, steps, invariant, text, story.digest, story.hits, story.marks, tuple(story.lines), trace)
