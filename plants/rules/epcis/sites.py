"""The sites that a document names, and a possible plant code for each."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plants.rules.epcis.documents import EpcisDocument
from plants.rules.epcis.event_forms import EpcisEvent
from plants.rules.epcis.identifiers import identity, short_codes
from plants.rules.epcis.problems import EpcisProblem, EpcisRefusal, ProblemCode
from plants.rules.identification.codes import plant_code

PLANT_LETTERS = 4
RESERVED_CODES = frozenset({"HUB"})
ORDINAL_MAX = 1000


@dataclass(frozen=True, slots=True)
class Site:
    """A place where the document's events happened, as its plant will know it."""

    id: str  # as the document first wrote it
    plant: str
    location: str  # location code inside the plant
    name: str
    owner: str | None  # the party that owns it, by the header's master data


def site_of(event: EpcisEvent) -> str | None:
    """Return the identity of the place where the event left the goods, else where it was seen, else None."""
    place = event.biz_location or event.read_point
    return None if place is None else identity(place)


def sites_of(document: EpcisDocument) -> Mapping[str, str]:
    """Return the identity of every site with the identifier that the document first used for it."""
    found: dict[str, str] = {}
    for event in document.events:
        place = event.biz_location or event.read_point
        if place is not None:
            found.setdefault(identity(place), place)
    return found


def propose_plants(
    document: EpcisDocument, given: Mapping[str, str] | None = None, taken: Collection[str] = ()
) -> Mapping[str, str]:
    """Return a plant code for every site of the document: the given one, else one made from the site's last part.

    A code is the first four letters and digits of that part, or of the site's name where the part has no letters
    (a GLN). Of sites that would share a code the later in identifier order are numbered: PROC, PRO2, PRO3. Codes in
    `taken` are used by other plants of the group. Raises Refusal on a given code that is no plant code.
    """
    fixed = {identity(site): plant_code(code) for site, code in (given or {}).items()}
    used = {*RESERVED_CODES, *taken, *fixed.values()}
    proposed: dict[str, str] = {}
    for key, site in sorted(sites_of(document).items(), key=lambda pair: pair[1]):
        if key not in fixed:
            fixed[key] = _unused(_stem(site, document), used)
            used.add(fixed[key])
        proposed[site] = fixed[key]
    return proposed


def _stem(site: str, document: EpcisDocument) -> str:
    record = document.master.get(site)
    name = record.name if record is not None else None
    last = re.split(r"[:/]", site.rstrip(":/"))[-1]
    for text in (last, name or ""):
        for word in re.split(r"[^A-Z0-9]+", text.upper()):
            if len(re.findall(r"[A-Z]", word)) > 1:
                return word[:PLANT_LETTERS]
    return f"S{re.sub(r'[^0-9]', '', last)[-3:] or '1'}"


def _unused(stem: str, used: Collection[str]) -> str:
    if stem not in used:
        return stem
    numbered = (f"{stem[: PLANT_LETTERS - len(str(n))]}{n}" for n in range(2, ORDINAL_MAX))
    return next(code for code in numbered if code not in used)


def settle_sites(document: EpcisDocument, plants: Mapping[str, str]) -> Mapping[str, Site]:
    """Return every site of the document by its identity, with its plant.

    Raises Refusal when a site has no plant in `plants` or the plant's code is none.
    """
    assigned = {identity(site): plant_code(code) for site, code in plants.items()}
    found = sites_of(document)
    missing = [site for key, site in found.items() if key not in assigned]
    if missing:
        raise EpcisRefusal([EpcisProblem(ProblemCode.SITE_UNASSIGNED, value=site) for site in missing])
    codes = short_codes(found)
    sites: dict[str, Site] = {}
    for key, site in found.items():
        record = document.master.get(site)
        name = record.name if record is not None else None
        owner = record.attributes.get("owning_party") if record is not None else None
        sites[key] = Site(site, assigned[key], codes[key], name or site, owner)
    return sites
