"""An independent model of the group: small, plain, and written from the domain's rules alone.

It predicts, before each command, whether the command is accepted or which refusal answers it, and the stock, dates and
holds afterwards. It shares no code with the product and imports the standard library only. Each module lists what it
chooses where the rules are silent.

    model = ReferenceModel()
    model.enrol("WH1", "Europe/Berlin")
    verdict = model.predict("WH1", "receiveBatch", {...}, now)
    model.apply(verdict)

Commands that the SDL lacks are marked `planned` and can be left out. So can rules that come later, by `Settings`. The
model leaves these out:
- permissions, batch codes, the texts of labels, attachments, inspections, containers, vessels, and rules as data;
- repairs of ledgers, parked and conflicting entries, pruning and fencing;
- decisions by which blocked goods are reworked or sent to another plant;
- ending a transfer whose goods never come, and blocking what was received twice;
- UNCONFIRMED holds, attributes that travel, and the remaining shelf life that a customer asks for.
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
