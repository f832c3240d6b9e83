"""The closed word lists of the Core Business Vocabulary 2.0, and how its words look in their other forms."""

import re

BIZ_STEPS = frozenset(
    [
        "accepting",
        "arriving",
        "assembling",
        "collecting",
        "commissioning",
        "consigning",
        "creating_class_instance",
        "cycle_counting",
        "decommissioning",
        "departing",
        "destroying",
        "disassembling",
        "dispensing",
        "encoding",
        "entering_exiting",
        "holding",
        "inspecting",
        "installing",
        "killing",
        "loading",
        "other",
        "packing",
        "picking",
        "receiving",
        "removing",
        "repackaging",
        "repairing",
        "replacing",
        "reserving",
        "retail_selling",
        "sampling",
        "sensor_reporting",
        "shipping",
        "staging_outbound",
        "stock_taking",
        "stocking",
        "storing",
        "transporting",
        "unloading",
        "unpacking",
        "void_shipping",
    ]
)
DISPOSITIONS = frozenset(
    [
        "active",
        "available",
        "completeness_inferred",
        "completeness_verified",
        "conformant",
        "container_closed",
        "container_open",
        "damaged",
        "destroyed",
        "dispensed",
        "disposed",
        "encoded",
        "expired",
        "in_progress",
        "in_transit",
        "inactive",
        "mismatch_class",
        "mismatch_instance",
        "mismatch_quantity",
        "needs_replacement",
        "no_pedigree_match",
        "non_conformant",
        "non_sellable_other",
        "partially_dispensed",
        "recalled",
        "reserved",
        "retail_sold",
        "returned",
        "sellable_accessible",
        "sellable_not_accessible",
        "stolen",
        "unavailable",
        "unknown",
    ]
)
BUSINESS_DOCUMENTS = frozenset(
    [
        "bol",
        "cert",
        "desadv",
        "inv",
        "pedigree",
        "po",
        "poc",
        "prodorder",
        "recadv",
        "rma",
        "testprd",
        "testres",
        "upevt",
    ]
)
PARTY_ROLES = frozenset({"owning_party", "possessing_party", "location"})
ERROR_REASONS = frozenset({"did_not_occur", "incorrect_data"})

CBV_FORM = re.compile(
    r"(?:https?://(?:ref|ns)\.gs1\.org/cbv/|cbv:)(?:BizStep|Disp|BTT|SDT|ER)-(?P<web>\w+)"
    r"|urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt|er):(?P<urn>\w+)",
    re.ASCII,
)

# Goods on their way out or in transit. Separate shipping and receiving events move the stock.
ON_THE_WAY = frozenset({"arriving", "consigning", "departing", "transporting"})


def bare_word(text: str) -> str:
    """Return a word of the CBV without its web address, CURIE prefix or URN; any other text as it is."""
    match = CBV_FORM.fullmatch(text)
    return text if match is None else match["web"] or match["urn"]


def last_word(text: str) -> str:
    """Return the last word of a URI or CURIE: the name for users."""
    return re.split(r"[:/#]", text.rstrip(":/#"))[-1]
