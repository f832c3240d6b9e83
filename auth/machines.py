"""The plants' nodes as the hub knows them: enrolling their keys, revoking them, and recognising who asks."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from auth.actors import GROUP, Actor
from auth.keys import key_id, public_key_from_text
from auth.permissions import Permission, require
from infra.database import ReadSession, Row, Session
from plants.rules.identification.codes import HUB, PLANT_NUMBER_MAX, plant_code
from plants.rules.ledger.notes import NoteError, NoteKey, SignatureType
from plants.rules.values.instants import micros
from plants.rules.values.refusals import Refusal, RefusalCode

ORIGIN: Final = re.compile(r"[a-z0-9.-]{1,120}/plant/(?P<code>[A-Z0-9]{2,4})/[A-Za-z0-9-]{1,40}", re.ASCII)
ORIGIN_RULE: Final = "<group domain>/plant/<plant code>/<incarnation>"
# Every request of a plant reads this: in plain SQL, because a mapped row costs several times as much.
SELECT_COUNTING: Final = (
    "SELECT plant_number, code, origin, assertion_key, ledger_vkey, ledger_vkey_before, ledger_vkey_size, kid_before"
    " FROM machines WHERE revoked_us IS NULL ORDER BY plant_number"
)
SELECT_BY_KID: Final = SELECT_COUNTING.replace(" ORDER BY plant_number", " AND kid = :kid")
SELECT_BY_KID_BEFORE: Final = SELECT_BY_KID.replace(" assertion_key,", " assertion_key_before,").replace(
    " kid = :kid", " kid_before = :kid"
)
SELECT_KIDS: Final = "SELECT kid, kids_past FROM machines"


@dataclass(frozen=True, slots=True)
class EnrolledMachine:
    """A plant's node whose keys count today."""

    plant_number: int
    code: str
    origin: str
    public_key: Ed25519PublicKey
    ledger_vkey: str
    ledger_vkey_before: str | None = None
    ledger_vkey_size: int = 0
    kid_before: str | None = None

    @property
    def confirms(self) -> bool:
        """Whether signing in with this key ends the one before it."""
        return self.kid_before is not None and self.kid_before != key_id(self.public_key)

    def ledger_vkeys(self, size: int = 0) -> tuple[str, ...]:
        """Return the vkeys that may have signed the ledger at this size: after a rotation the old one up to its end."""
        if self.ledger_vkey_before is None or size > self.ledger_vkey_size:
            return (self.ledger_vkey,)
        return self.ledger_vkey, self.ledger_vkey_before


def enrol_machine(
    session: Session,
    *,
    actor: Actor,
    plant_number: int,
    code: str,
    origin: str,
    assertion_key: str,
    ledger_vkey: str,
    at: datetime,
) -> None:
    """Take a plant's public keys on, as a person has compared them with what the plant shows.

    A plant is enrolled once: one that was revoked is readmitted. Raises NotPermitted, or Refusal also for a code,
    origin or key that cannot be one, for keys that are the same as each other, and for a number, a code or a key that
    is or was a machine's (TEXT_INVALID, CODE_TAKEN).
    """
    require(actor, Permission.MACHINE_ENROL, GROUP)
    row = _checked(plant_number, code, origin, assertion_key, ledger_vkey)
    _check_free(session, row)
    session.run(
        "INSERT INTO machines"
        " (origin, plant_number, code, kid, assertion_key, ledger_vkey, enrolled_by, enrolled_us)"
        " VALUES"
        " (:origin, :plant_number, :code, :kid, :assertion_key, :ledger_vkey, :enrolled_by, :enrolled_us)",
        row | {"enrolled_by": actor.actor_id, "enrolled_us": micros(at)},
    )


def revoke_machine(session: Session, *, actor: Actor, origin: str, at: datetime) -> None:
    """Stop believing a plant's keys at once; raises NotPermitted, or Refusal (NOT_DEFINED) if none counts."""
    require(actor, Permission.MACHINE_ENROL, GROUP)
    revoked = session.run(
        "UPDATE machines SET revoked_us = :at_us WHERE origin = :origin AND revoked_us IS NULL",
        {"origin": origin, "at_us": micros(at)},
    )
    if not revoked:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="plant", code=origin[:120])


def readmit_machine(
    session: Session, *, actor: Actor, origin: str, assertion_key: str, ledger_vkey: str, size: int
) -> None:
    """Believe a revoked plant again, under keys of its own that nobody has shown before; its old ones up to a size.

    `size` is how many entries of its ledger came under the old key. Raises NotPermitted, or Refusal: NOT_DEFINED for a
    plant that is not revoked, TEXT_INVALID and CODE_TAKEN as in `enrol_machine`.
    """
    require(actor, Permission.MACHINE_ENROL, GROUP)
    found = session.row(
        "SELECT plant_number, code, kid, kids_past, ledger_vkey FROM machines"
        " WHERE origin = :origin AND revoked_us IS NOT NULL",
        {"origin": origin},
    )
    if found is None:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="revoked plant", code=origin[:120])
    number, code, kid, past, before = found
    row = _checked(number, code, origin, assertion_key, ledger_vkey)
    taken = session.row("SELECT 1 FROM machines WHERE :ledger_vkey IN (ledger_vkey, ledger_vkey_before)", row)
    if taken is not None or was_ever_shown(session, str(row["kid"])):
        raise Refusal(RefusalCode.CODE_TAKEN, code=origin, thing="key")
    session.run(
        "UPDATE machines SET revoked_us = NULL, assertion_key = :assertion_key, kid = :kid, kids_past = :past,"
        " assertion_key_before = NULL, kid_before = NULL,"
        " ledger_vkey = :ledger_vkey, ledger_vkey_before = :before, ledger_vkey_size = :size WHERE origin = :origin",
        row | {"past": kid if past is None else f"{past} {kid}", "before": before, "size": size},
    )


def exchange_ledger_key(session: Session, *, origin: str, old: str, new: str, size: int) -> bool:
    """Believe another ledger key from now on, and the old one up to a size; False where the old one does not count.

    Whoever calls has checked that both keys signed for it.
    """
    changed = session.run(
        "UPDATE machines SET ledger_vkey = :new, ledger_vkey_before = :old, ledger_vkey_size = :size"
        " WHERE origin = :origin AND ledger_vkey = :old AND revoked_us IS NULL",
        {"origin": origin, "old": old, "new": new, "size": size},
    )
    return changed == 1


def exchange_assertion_key(session: Session, *, origin: str, old: str, new: str) -> bool | None:
    """Let a plant sign in with another key, and with the old one until that was used; None where it must not.

    False, and nothing changed, where it counts already. It must not where the old one is not the one that counts, or
    the new one is or was any plant's. Whoever calls has checked who signed for it, and lets one at a time come here.
    """
    row = session.row(
        "SELECT assertion_key, kid, kids_past FROM machines WHERE origin = :origin AND revoked_us IS NULL",
        {"origin": origin},
    )
    if row is None:
        return None
    current, kid, past = row
    if current == new:
        return False
    following = key_id(public_key_from_text(new))
    if current != old or was_ever_shown(session, following):
        return None
    session.run(
        "UPDATE machines SET assertion_key = :new, kid = :kid, assertion_key_before = :old, kid_before = :kid_before,"
        " kids_past = :past WHERE origin = :origin",
        {
            "origin": origin,
            "new": new,
            "kid": following,
            "old": old,
            "kid_before": kid,
            "past": kid if past is None else f"{past} {kid}",
        },
    )
    return True


def confirm_assertion_key(session: Session, machine: EnrolledMachine) -> None:
    """Let the plant sign in with the key before no more, because it has done so with the new one."""
    session.run(
        "UPDATE machines SET assertion_key_before = NULL, kid_before = NULL"
        " WHERE origin = :origin AND kid = :kid AND kid_before = :kid_before",
        {"origin": machine.origin, "kid": key_id(machine.public_key), "kid_before": machine.kid_before},
    )


def was_ever_shown(session: Session | ReadSession, kid: str) -> bool:
    """Tell whether a key for signing in is or was any plant's, or waits for approval as one's."""
    enrolled = any(kid in (one, *(past or "").split()) for one, past in session.rows(SELECT_KIDS))
    return enrolled or bool(session.rows("SELECT 1 FROM invitations WHERE kid = :kid", {"kid": kid}))


def counting_machine(reads: ReadSession | Session, code: str) -> EnrolledMachine | None:
    """Return the machine of a plant, or None when there is none or it was revoked."""
    return next((one for one in enrolled_machines(reads) if one.code == code), None)


def find_machine(reads: ReadSession, kid: str) -> EnrolledMachine | None:
    """Return the machine whose assertion key has this id, or None when there is none or it was revoked."""
    found = reads.rows(SELECT_BY_KID, {"kid": kid}) or reads.rows(SELECT_BY_KID_BEFORE, {"kid": kid})
    return _enrolled(found[0]) if found else None


def enrolled_machines(reads: ReadSession | Session) -> list[EnrolledMachine]:
    """Return every machine whose keys count today, in the order of plant numbers."""
    return [_enrolled(found) for found in reads.rows(SELECT_COUNTING)]


def _enrolled(row: Row) -> EnrolledMachine:
    plant_number, code, origin, assertion_key, ledger_vkey, before, size, kid_before = row
    return EnrolledMachine(
        plant_number=plant_number,
        code=code,
        origin=origin,
        public_key=public_key_from_text(assertion_key),
        ledger_vkey=ledger_vkey,
        ledger_vkey_before=before,
        ledger_vkey_size=size or 0,
        kid_before=kid_before,
    )


def _checked(plant_number: int, code: str, origin: str, assertion_key: str, ledger_vkey: str) -> dict[str, int | str]:
    """Return the row to be written, or raise the Refusal that names the first part that cannot be right."""
    plant_code(code)
    if not HUB < plant_number <= PLANT_NUMBER_MAX:
        raise Refusal(RefusalCode.TEXT_INVALID, field="plant number", rule=f"1-{PLANT_NUMBER_MAX}")
    named = ORIGIN.fullmatch(origin)
    if named is None or named["code"] != code:
        raise Refusal(RefusalCode.TEXT_INVALID, field="origin", rule=ORIGIN_RULE)
    try:
        asking = public_key_from_text(assertion_key)
    except ValueError as error:
        raise Refusal(RefusalCode.TEXT_INVALID, field="assertion key", rule="Ed25519, 43 x base64url") from error
    try:
        writing = NoteKey.parse(ledger_vkey)
    except NoteError as error:
        raise Refusal(RefusalCode.TEXT_INVALID, field="ledger key", rule="<origin>+<id>+<base64>") from error
    if writing.name != origin or writing.kind is not SignatureType.ED25519:
        raise Refusal(RefusalCode.TEXT_INVALID, field="ledger key", rule=f"{origin}+<id>+<base64>")
    if writing.public == asking.public_bytes_raw():
        raise Refusal(RefusalCode.TEXT_INVALID, field="assertion key", rule="not the ledger key / 不得与账本密钥相同")
    return {
        "plant_number": plant_number,
        "code": code,
        "origin": origin,
        "kid": key_id(asking),
        "assertion_key": assertion_key,
        "ledger_vkey": ledger_vkey,
    }


def _check_free(session: Session, row: dict[str, int | str]) -> None:
    """Raise Refusal when the origin, the number, the code or a key was ever enrolled."""
    taken = session.row(
        "SELECT code FROM machines WHERE origin = :origin OR kid = :kid OR ledger_vkey = :ledger_vkey"
        " OR plant_number = :plant_number OR code = :code",
        row,
    )
    past = (kid for (kids,) in session.rows("SELECT kids_past FROM machines") for kid in (kids or "").split())
    if taken is not None or row["kid"] in past:
        raise Refusal(RefusalCode.CODE_TAKEN, code=str(row["origin"]), thing="plant")
