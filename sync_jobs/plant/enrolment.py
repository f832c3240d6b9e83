"""A plant asks the hub to enrol it, with a one-time code."""

import json
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from auth import enrolment
from auth.enrolment import OneTimeCode
from auth.notes import open_note
from infra.settings import may_carry_secrets
from plants.rules.ledger.notes import Note, NoteError
from sync_jobs.protocol.enrolment import BODY_BYTES_MAX, HEADING, PATH, EnrolmentRequest
from sync_jobs.protocol.hub_client import HubUnreachable
from sync_jobs.protocol.wire import Problem

SECONDS_MAX: Final = 20.0


@dataclass(frozen=True, slots=True)
class EnrolmentAnswer:
    """The hub's verified answer to a request for enrolment: the identity of the plant and of the hub."""

    group: str
    number: int
    code: str
    name: str
    hub_key: str


class WrongHub(Exception):
    """The answer is not from the hub that issued the one-time code."""


def request_enrolment(hub_url: str, code: OneTimeCode, keys: tuple[str, str]) -> EnrolmentAnswer:
    """Send a plant's public keys (ledger, assertions) to the hub with a one-time code, and return the hub's answer.

    Raises ValueError for an address that would send the code unencrypted, Problem as the hub answered, and
    HubUnreachable. Raises WrongHub where another hub answered, or where the answer names other keys.
    """
    if not may_carry_secrets(hub_url):
        raise ValueError("a hub on another machine is reached by https:// only")
    asking = EnrolmentRequest(plant=code.plant, secret=code.secret, ledger_key=keys[0], assertion_key=keys[1])
    headers = {"Content-Type": "application/json"}
    try:
        with httpx2.Client(base_url=hub_url, timeout=SECONDS_MAX, follow_redirects=False) as client:
            got = client.post(PATH, content=asking.model_dump_json(), headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise HubUnreachable(f"{type(error).__name__}: {error}"[:200]) from error
    if got.status_code != httpx2.codes.OK:
        raise _problem(got)
    return _verified_answer(got.content[: 4 * BODY_BYTES_MAX], code, keys)


def _verified_answer(content: bytes, code: OneTimeCode, keys: tuple[str, str]) -> EnrolmentAnswer:
    try:
        said = _answer_fields(Note.parse(content).text)
        hub_key = str(said["hubKey"])
        if enrolment.hub_key_digest(hub_key) != code.hub:
            raise WrongHub
        # The text is read again after its signature was verified.
        said = _answer_fields(open_note(content, (hub_key,))[0])
        if (said["ledgerKey"], said["assertionKey"], said["code"]) != (*keys, code.plant):
            raise WrongHub
        return EnrolmentAnswer(str(said["group"]), int(said["number"]), code.plant, str(said["name"]), hub_key)
    except (NoteError, ValueError, KeyError, TypeError) as error:
        raise WrongHub from error


def _answer_fields(text: str) -> dict[str, Any]:
    heading, content, end = text.split("\n")
    if heading != HEADING or end:
        raise ValueError("another kind of note")
    return dict(json.loads(content))


def _problem(got: httpx2.Response) -> Exception:
    try:
        return Problem(got.status_code, str(got.json()["code"])[:60])
    except (ValueError, KeyError, TypeError):
        return HubUnreachable(f"{got.status_code}: something other than the hub answered")
