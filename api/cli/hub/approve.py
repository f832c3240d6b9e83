"""`batchloom hub approve`: enrol a plant that answered its invitation."""

from api.cli.fingerprints import Fingerprint, compare_fingerprint
from api.cli.hub import ENROLMENT, app
from api.cli.hub.invitations import PlantCode, find_waiting
from api.cli.nodes import Home, console_actor, opened_hub
from api.cli.output import CONSOLE
from api.language import marked
from auth import enrolment
from auth.actors import Role
from infra.database import Session
from sync_jobs.hub.enrolment import approve


@app.command("approve", rich_help_panel=ENROLMENT)
def approve_plant(home: Home, code: PlantCode, shown: Fingerprint = None) -> None:
    """Enrol a plant that used its one-time code, after its fingerprint was compared.

    Ask somebody at the plant to read the fingerprint to you. The hub trusts these keys from now on.

    Example:  batchloom hub approve --home hub SH1
    """
    with opened_hub(home) as node:
        waiting = find_waiting(node.writer.write(lambda session: enrolment.find_invited(session, code)), code)
        who = f"{waiting.code} ({waiting.number}) {waiting.name}"
        compare_fingerprint(who, str(waiting.fingerprint), shown)
        actor, now, group = console_actor(Role.ADMINISTRATOR), node.clock.now(), node.settings.group

        def write(session: Session) -> None:
            approve(session, code, str(waiting.fingerprint), group=group, actor=actor, now=now)

        node.writer.write(write)
    CONSOLE.print(
        marked(
            "[green]✓[/] Plant {code} is enrolled with number {number}. Its ledger will arrive by itself.",
            code=code,
            number=waiting.number,
        )
    )
