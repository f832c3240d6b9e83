"""A trace made ready to be drawn: asked of a node's GraphQL over HTTP."""

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TextIO

import typer

from api.language import _
from api.node.client import NodeClient
from api.trace.reader import GapShown, TraceReport, WatermarkShown
from api.trace.tree import BatchShown, EdgeShown, ProcessShown, TraceShown
from infra.messages import Failure, message
from plants.rules.genealogy.walks import TraceDirection
from plants.rules.identification.codes import read_batch_code
from plants.rules.values.quantities import parse_micro
from plants.rules.values.refusals import Refusal

PAGE: Final = 500

HEADS: Final = """
query Head($input: TraceInput!) { trace(input: $input) {
  unknownNames
  summary { depth }
  completeness {
    complete
    asOf { size lagSeconds plant { code } }
  } } }
"""
GAPS: Final = """
query Gaps($input: TraceInput!, $first: Int!, $after: String, $batchesAfter: String) { trace(input: $input) {
  completeness { gaps(first: 1, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { kind plantCode transferId plant { code }
      batches(first: $first, after: $batchesAfter) { pageInfo { hasNextPage endCursor } nodes { code } } }
  } } } }
"""
BATCHES: Final = """
query Batches($input: TraceInput!, $first: Int!, $after: String) { trace(input: $input) {
  batches(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { distance batch {
      id code quantityMade { amount unit } material { name } origin { code }
      atPlants { plant { code } onHand { amount } } } }
  } } }
"""
LINKS: Final = """
query Links($input: TraceInput!, $first: Int!, $after: String) { trace(input: $input) {
  links(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      intoProcess use occurredAt quantity { amount unit } plant { code } batch { id }
      process { nodeId kind segment openedAt plant { code } customer { code } } }
  } } }
"""


def ask_for_traces(
    url: str, person: str | None, password_file: TextIO | None, name: str, sides: Iterable[TraceDirection]
) -> dict[TraceDirection, TraceReport]:
    """Sign in at a node and trace there; the password is read from the file, or asked for at the terminal."""
    if person is None:
        raise typer.BadParameter(_("--url needs --person"))
    if password_file is not None:
        password = password_file.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt(_("Password"), hide_input=True)
    else:
        raise Failure(
            message("PASSWORD_FILE_NEEDED", "The password cannot be asked for without a terminal. Use --password-file.")
        )
    return {side: trace_over_http(url, person, password, name, side) for side in sides}


def trace_over_http(url: str, person: str, password: str, name: str, direction: TraceDirection) -> TraceReport:
    """Trace from a batch code, else from an alias or an order; raises Failure when the node knows no such name."""
    with NodeClient(url) as client:
        client.sign_in(person, password)
        for start in _starts(name):
            asked = {**start, "direction": direction.value}
            head = client.ask(HEADS, {"input": asked})["trace"]
            if name not in head["unknownNames"]:
                return _report(client, asked, head, direction)
    raise Failure(
        message("BATCH_UNKNOWN_THERE", "The node knows no batch {name}, by its code or an alias, that you may see."),
        name=name,
    )


def _starts(name: str) -> Iterable[Mapping[str, object]]:
    try:
        read_batch_code(name)
    except Refusal:
        pass
    else:
        yield {"batchCodes": [name]}
    yield {"aliases": [name]}
    for orders in ("jobOrders", "customerOrders", "purchaseOrders"):
        yield {orders: [name]}


def _report(
    client: NodeClient, asked: Mapping[str, object], head: Mapping[str, Any], direction: TraceDirection
) -> TraceReport:
    nodes = list(_pages(client, BATCHES, "batches", asked))
    stated = [node for node in nodes if node["batch"] is not None]
    edges = list(_pages(client, LINKS, "links", asked))
    whole = head["completeness"]
    return TraceReport(
        direction.value,
        TraceShown(
            seeds=tuple(node["batch"]["id"] for node in stated if node["distance"] == 0),
            batches={node["batch"]["id"]: _batch(node["batch"]) for node in stated},
            processes=_processes(edges),
            edges=[_edge(edge) for edge in edges if edge["batch"] is not None and edge["process"] is not None],
        ),
        int(head["summary"]["depth"]),
        bool(whole["complete"]),
        tuple(WatermarkShown(_code(one["plant"]), int(one["size"]), one["lagSeconds"]) for one in whole["asOf"]),
        tuple(_gaps(client, asked)),
    )


def _pages(client: NodeClient, document: str, part: str, asked: Mapping[str, object]) -> Iterable[Mapping[str, Any]]:
    after = None
    while True:
        page = client.ask(document, {"input": asked, "first": PAGE, "after": after})["trace"][part]
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _batch(found: Mapping[str, Any]) -> BatchShown:
    made = found["quantityMade"]
    on_hand = ((_code(one["plant"]), parse_micro(one["onHand"]["amount"])) for one in found["atPlants"])
    return BatchShown(
        key=found["id"],
        code=found["code"],
        material=found["material"]["name"],
        plant=_code(found["origin"]),
        made=parse_micro(made["amount"]),
        unit=made["unit"],
        on_hand=tuple((plant, micro) for plant, micro in on_hand if micro),
    )


def _processes(edges: Iterable[Mapping[str, Any]]) -> dict[str, ProcessShown]:
    """Return the process records on the edges; a transfer's two plants are those that state its two sides."""
    seen: dict[str, Mapping[str, Any]] = {}
    left: dict[str, str] = {}
    came: dict[str, str] = {}
    for edge in edges:
        if edge["process"] is not None:
            key = edge["process"]["nodeId"]
            seen.setdefault(key, edge["process"])
            (left if edge["intoProcess"] else came).setdefault(key, edge["plant"]["code"])
    return {
        key: ProcessShown(
            key=key,
            kind=process["kind"],
            plant=_code(process["plant"]),
            about=_code(process["customer"]) if process["customer"] else process["segment"] or "",
            at=datetime.fromisoformat(process["openedAt"]),
            source=left.get(key, "?"),
            destination=came.get(key, "?"),
        )
        for key, process in seen.items()
    }


def _edge(edge: Mapping[str, Any]) -> EdgeShown:
    ends = (edge["batch"]["id"], edge["process"]["nodeId"])
    source, target = ends if edge["intoProcess"] else ends[::-1]
    quantity = edge["quantity"]
    at = datetime.fromisoformat(edge["occurredAt"])
    return EdgeShown(source, target, parse_micro(quantity["amount"]), quantity["unit"], edge["use"], at)


def _gaps(client: NodeClient, asked: Mapping[str, object]) -> Iterable[GapShown]:
    """Yield all gaps, each with the codes of all its batches."""
    page: Mapping[str, Any] = {"hasNextPage": True, "endCursor": None}
    while page["hasNextPage"]:
        gaps, codes = _gap_after(client, asked, page["endCursor"])
        page = gaps["pageInfo"]
        for gap in gaps["nodes"]:
            plant = gap["plantCode"] or _code(gap["plant"])
            yield GapShown(gap["kind"], plant, gap["transferId"] or "", tuple(codes))


def _gap_after(
    client: NodeClient, asked: Mapping[str, object], after: str | None
) -> tuple[Mapping[str, Any], list[str]]:
    """Return the page with the next gap, and the codes of all batches of that gap."""
    codes: list[str] = []
    gaps: Mapping[str, Any] = {}
    batches: Mapping[str, Any] = {"hasNextPage": True, "endCursor": None}
    while batches["hasNextPage"]:
        given = {"input": asked, "first": PAGE, "after": after, "batchesAfter": batches["endCursor"]}
        gaps = client.ask(GAPS, given)["trace"]["completeness"]["gaps"]
        batches = gaps["nodes"][0]["batches"]["pageInfo"] if gaps["nodes"] else {"hasNextPage": False}
        codes += (batch["code"] for gap in gaps["nodes"] for batch in gap["batches"]["nodes"])
    return gaps, codes


def _code(named: Mapping[str, Any] | None) -> str:
    return "" if named is None else str(named["code"])
