"""Answers to a forward trace: the rows that each way of asking must return, and the rival's statements."""

from collections.abc import Callable
from typing import Any

Answer = dict[str, list[Any]]
"""The rows of `batches` and of `edges`, as tuples."""
Request = Callable[[int], Answer]
"""Asks for the forward trace of the batch with this id."""

WALK = """
WITH RECURSIVE walk(node) AS (
    SELECT %(seed)s::bigint UNION
    SELECT step.target_id FROM walk CROSS JOIN LATERAL
        (SELECT target_id FROM edges WHERE source_id = walk.node AND use NOT IN ('RETURNED', 'TRANSFERRED')
         OFFSET 0) AS step
)
SELECT source_id, target_id, quantity, unit, use FROM edges WHERE source_id = ANY(ARRAY(SELECT node FROM walk))
UNION ALL SELECT source_id, target_id, quantity, unit, use FROM edges
WHERE target_id = ANY(ARRAY(SELECT node FROM walk)) AND use = 'TRANSFERRED'
"""
BATCHES = """
SELECT DISTINCT ON (id) id, code, plant_id, material, unit, made, produced_us, disposition
FROM batches WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id, plant_id <> id >> 40, plant_id
"""


def bare(connection: Any, seed: int) -> Answer:
    """Answer with two prepared statements on the driver's connection. This is the rival."""
    edges = connection.execute(WALK, {"seed": seed}, prepare=True).fetchall()
    ids = list({seed, *(edge[0] for edge in edges), *(edge[1] for edge in edges)})
    batches = connection.execute(BATCHES, {"ids": ids}, prepare=True).fetchall()
    return {"batches": batches, "edges": edges}


def check_equal(one: Answer, other: Answer) -> None:
    """Raise AssertionError unless both have the same rows, in any order."""
    for name in ("batches", "edges"):
        assert sorted(one[name]) == sorted(other[name]), name
