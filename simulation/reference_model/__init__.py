"""An independent model of the group: small, plain, and written from the domain's rules alone.

It predicts, before each command, whether the command is accepted or which refusal answers it, and the stock, dates and
holds afterwards. It shares no code with the product and imports the standard library only. Each module lists what it
chooses where the rules are silent.

    model = ReferenceModel()
    model.enrol("WH1", "Europe/Berlin")
    verdict = model.predict("WH1", "receiveBatch", {...}, now)
    model.apply(verdict)

Left out: permissions, batch codes, labels, attachments, inspections, containers and vessels, repairs of ledgers, and
the rules that are data. Commands that the SDL lacks are marked `planned` and can be left out.
"""

from simulation.reference_model.calls import HUB, Policy, Settings
from simulation.reference_model.model import Delivery, ReferenceModel
from simulation.reference_model.verdicts import PLANNED, Accepted, Effect, Refused, Verdict

__all__ = [
    "HUB",
    "PLANNED",
    "Accepted",
    "Delivery",
    "Effect",
    "Policy",
    "ReferenceModel",
    "Refused",
    "Settings",
    "Verdict",
]
