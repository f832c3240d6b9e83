"""`batchloom hub reject`: reject a plant that answered its invitation."""

from api.cli.hub import ENROLMENT, app
from api.cli.hub.invitations import PlantCode, find_waiting
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.language import marked
from auth import enrolment
from auth.actors import Role
from infra.database import Session


@app.command(rich_help_panel=ENROLMENT)
def reject(home: Home, code: PlantCode) -> None:
    """Reject a plant that used its one-time code. Its keys are never trusted.

    Use it when the fingerprints differ. The plant can be invited again.

    Example:  batchloom hub reject --home hub SH1
    """
    with opened_hub(home) as node:
        waiting = find_waiting(node.writer.write(lambda session: enrolment.find_invited(session, code)), code)
        actor, now, shown = console_actor(Role.ADMINISTRATOR), node.clock.now(), str(waiting.fingerprint)

        def write(session: Session) -> None:
            enrolment.decide(session, actor=actor, code=code, shown=shown, approved=False, now=now)

        node.writer.write(write)
    CONSOLE.print(marked("Plant {code} was rejected.", code=code))
