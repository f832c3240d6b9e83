"""The command line, `batchloom`: nodes, people, imports, traces, ledgers and the demonstration."""

from typing import Final

from api import (
    cli_archive,
    cli_backup,
    cli_demo,
    cli_disputes,
    cli_doctor,
    cli_enrol,
    cli_hub,
    cli_import,
    cli_ledger,
    cli_operations,
    cli_parked,
    cli_people,
    cli_plant,
    cli_prune,
    cli_restore,
    cli_revoke,
    cli_sdl,
    cli_sim,
    cli_trace,
    cli_trust,
)
from api.cli_output import Application

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
cli_hub.app.command()(cli_enrol.invite)
cli_hub.app.command()(cli_enrol.invitations)
cli_hub.app.command("approve")(cli_enrol.approve_plant)
cli_hub.app.command("reject")(cli_enrol.reject_plant)
cli_hub.app.command("revoke")(cli_revoke.revoke_plant)
cli_hub.app.command("readmit")(cli_revoke.readmit_plant)
cli_hub.app.add_typer(cli_parked.app, name="parked")
cli_plant.app.add_typer(cli_disputes.app, name="disputes")
cli_plant.app.command()(cli_trust.rotate_key)
cli_hub.app.command("rotate-key")(cli_trust.rotate_hub_key)
cli_plant.app.command("renew-keys")(cli_revoke.renew_keys)
cli_plant.app.command("accept-hub-ledger")(cli_trust.accept_hub)
cli_plant.app.command()(cli_enrol.enroll)
cli_plant.app.command()(cli_operations.sync_now)
cli_plant.app.command()(cli_operations.take_over)
cli_plant.app.command()(cli_restore.restore)
cli_plant.app.command()(cli_prune.prune)
app.add_typer(cli_hub.app, name="hub")
app.add_typer(cli_plant.app, name="plant")
app.add_typer(cli_people.app, name="person")
app.add_typer(cli_archive.app, name="archive")
app.add_typer(cli_import.app, name="import")
app.command()(cli_doctor.doctor)
app.command()(cli_operations.alarms)
app.command("end-alarm")(cli_operations.end)
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)
app.command()(cli_trace.trace)
app.command()(cli_ledger.rebuild)
app.command()(cli_ledger.verify)
app.command()(cli_sdl.sdl)
app.command()(cli_sim.sim)
app.command()(cli_demo.demo)
