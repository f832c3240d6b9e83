"""The command line, `batchloom`: nodes, people, imports, traces, ledgers and the demonstration."""

from typing import Final

from api.cli import (
    archive,
    backup,
    demo,
    disputes,
    enrolment,
    hub,
    imports,
    ledger,
    operations,
    parked,
    people,
    plant,
    pruning,
    reference,
    restore,
    revocation,
    sdl,
    sim,
    trace,
    trust,
)
from api.cli.doctor import command
from api.cli.output import Application

app: Final = Application(
    name="batchloom",
    help="Batch (material lot) management for groups with several plants.\n\n"
    "适用于多工厂集团的批次管理。\n\n"
    "To see all of it at work:  batchloom demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
hub.app.command()(enrolment.invite)
hub.app.command()(enrolment.invitations)
hub.app.command("approve")(enrolment.approve_plant)
hub.app.command("reject")(enrolment.reject_plant)
hub.app.command("revoke")(revocation.revoke_plant)
hub.app.command("readmit")(revocation.readmit_plant)
hub.app.add_typer(parked.app, name="parked")
plant.app.add_typer(disputes.app, name="disputes")
plant.app.command()(trust.rotate_key)
hub.app.command("rotate-key")(trust.rotate_hub_key)
plant.app.command("renew-keys")(revocation.renew_keys)
plant.app.command("accept-hub-ledger")(trust.accept_hub)
plant.app.command()(enrolment.enroll)
plant.app.command()(operations.sync_now)
plant.app.command()(operations.take_over)
plant.app.command()(restore.restore)
plant.app.command()(pruning.prune)
app.add_typer(hub.app, name="hub")
app.add_typer(plant.app, name="plant")
app.add_typer(people.app, name="person")
app.add_typer(archive.app, name="archive")
app.add_typer(imports.app, name="import")
app.command()(command.doctor)
app.command()(operations.alarms)
app.command("end-alarm")(operations.end)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(trace.trace)
app.command()(ledger.rebuild)
app.command()(ledger.verify)
app.command()(sdl.sdl)
app.command()(reference.reference)
app.command()(sim.sim)
app.command()(demo.demo)
