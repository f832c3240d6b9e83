"""A run from its seed: steps under faults, then convergence without faults, then the final invariants."""

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from infra.ids import owned_chance
from simulation.coincidences import count_coincidences
from simulation.convergence import converge
from simulation.driver import Driver
from simulation.final_invariants import check_final, check_midway
from simulation.group import IdSource
from simulation.hold_invariants import check_directed_holds, check_lifted_holds
from simulation.model_check.checker import ModelChecker
from simulation.model_check.deviations import KNOWN, Deviation
from simulation.options import Swarm, draw
from simulation.run_log import RunLog, Violation
from simulation.step_invariants import StepInvariants
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


def run(seed: int, swarm: Swarm | None = None, known: Sequence[Deviation] = KNOWN) -> Outcome:
    """Run one seed to its end or its first violation. The same seed gives the same digest on every machine."""
    chance = Random(f"steps {seed}")
    options = swarm or draw(Random(f"swarm {seed}"))
    run_log = RunLog()
    lots = Random(f"lots {seed}")
    invariant, text, trace, steps = "", "", "", 0
    with owned_chance(IdSource(Random(f"ids {seed}")), lots):
        world = World(chance, options, run_log)
        driver = Driver(world)
        invariants = StepInvariants(driver)
        try:
            checker = ModelChecker(driver, known)
            driver.predict, driver.compare = checker.predict, checker.compare
            invariants.look()
            for _ in range(options.steps):
                driver.step()
                invariants.look()
                checker.look()
                steps += 1
                if steps % GLANCE_EVERY == 0:
                    check_midway(driver)
            steps += converge(driver, invariants)
            count_coincidences(world)
            check_final(driver, invariants)
            check_lifted_holds(world)
            checker.check_all()
            check_directed_holds(world, known)
        except Violation as violation:
            invariant, text = violation.invariant, str(violation)
        except Exception as error:  # noqa: BLE001 -- whatever nobody expected is what a run is looking for.
            invariant, text = "SIM", f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()
        finally:
            world.close()
    run_log.tell(world.time.us, "end", text or "level")
    return Outcome(
        seed, steps, invariant, text, run_log.digest, run_log.hits, run_log.marks, tuple(run_log.lines), trace
    )
