"""Reading EPCIS documents: accepts all that the standard allows, refuses the rest by name and position."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from infra.messages import word
from plants.rules.epcis.documents import EPCIS_DOCUMENT_BYTES_MAX, read_epcis
from plants.rules.epcis.event_forms import EpcisParty, EpcisQuantity
from plants.rules.epcis.identifiers import Kind, identity, kind_of, lot_number_of, product_of, short_codes
from plants.rules.epcis.problems import EpcisRefusal
from plants.rules.epcis.refusals import DOCUMENT_INVALID
from plants.rules.epcis.sites import propose_plants
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.values.refusals import Refusal
from tests.plants.epcis.documents import CORPUS, EVENT_HASH, GDST, NOW, content, event, read, some

VALID = sorted(
    [*CORPUS.glob("Capture/Documents/*.json"), *CORPUS.glob("Capture/Events/*.json"), *CORPUS.glob("Query/*.json")]
)

# Every invalid file of the corpus with each of its problems: code, event, field.
INVALID = {
    "Capture/Invalid/Combination_of_events_with_missing_mandatory_fields.json": [
        ("FIELD_MISSING", 1, "action"),
        ("FIELD_MISSING", 2, "eventTimeZoneOffset"),
        ("FIELD_MISSING", 2, "action"),
    ],
    "Capture/Invalid/Combination_of_multiple_invalid_fields.json": [
        ("WORD_NOT_STANDARD", 1, "bizStep"),
        ("WORD_NOT_STANDARD", 2, "disposition"),
        ("WORD_NOT_STANDARD", 3, "sourceList.type"),
        ("NAMESPACE_MISSING", 4, "ilmd"),
        ("TIME_INVALID", 5, "eventTime"),
        ("ACTION_INVALID", 5, "action"),
    ],
    "Capture/Invalid/Combination_of_non_standard_bizStep_and_disposition.json": [
        ("WORD_NOT_STANDARD", 1, "bizStep"),
        ("WORD_NOT_STANDARD", 2, "disposition"),
    ],
    "Capture/Invalid/EPCISDocument_without_context.json": [("CONTEXT_MISSING", None, "@context")],
    "Capture/Invalid/ObjectEvent_with_ilmd_field_without_namespace.json": [("NAMESPACE_MISSING", 1, "ilmd")],
    "Capture/Invalid/ObjectEvent_with_invalid_action.json": [("ACTION_INVALID", 1, "action")],
    "Capture/Invalid/ObjectEvent_with_invalid_certificationInfo.json": [
        ("DATE_INVALID", 1, "certificationInfo.gs1:certificationAuditDate")
    ],
    "Capture/Invalid/ObjectEvent_with_invalid_eventTime_format.json": [("TIME_INVALID", 1, "eventTime")],
    "Capture/Invalid/ObjectEvent_with_non_standard_bizStep.json": [("WORD_NOT_STANDARD", 1, "bizStep")],
    "Capture/Invalid/ObjectEvent_with_non_standard_bizStep_in_second_event.json": [("WORD_NOT_STANDARD", 2, "bizStep")],
    "Capture/Invalid/ObjectEvent_with_non_standard_disposition.json": [("WORD_NOT_STANDARD", 1, "disposition")],
    "Capture/Invalid/ObjectEvent_with_quantity_as_text.json": [("QUANTITY_INVALID", 1, "quantityList[1].quantity")],
    "Capture/Invalid/ObjectEvent_with_unknown_field_in_quantityList.json": [
        ("FIELD_NOT_ALLOWED", 1, "quantityList[1].weight")
    ],
    "Capture/Invalid/ObjectEvent_without_action_and_eventTime.json": [
        ("FIELD_MISSING", 1, "eventTime"),
        ("FIELD_MISSING", 1, "eventTimeZoneOffset"),
        ("FIELD_MISSING", 1, "action"),
    ],
    "Capture/Invalid/ObjectEvent_without_identifier_list.json": [("IDENTIFIERS_MISSING", 1, "epcList, quantityList")],
    "Query/Invalid/QueryDocument_with_invalid_action.json": [("ACTION_INVALID", 1, "action")],
    "Query/Invalid/QueryDocument_with_invalid_eventType.json": [("EVENT_TYPE_UNKNOWN", 1, "type")],
    "Query/Queries/SimpleEventQuery.json": [("OTHER_DOCUMENT", None, "type")],
}


def problems(document: bytes) -> list[tuple[str, int | None, str]]:
    with pytest.raises(EpcisRefusal) as refused:
        read_epcis(document, now=NOW)
    assert refused.value.code is DOCUMENT_INVALID
    assert all(word(refused.value, language) for language in ("en", "zh"))
    return [(problem.code.value, problem.event, problem.field) for problem in refused.value.problems]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the conformance corpus is not here")
@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_given_a_valid_document_of_the_corpus_then_all_its_events_are_read(path: Path) -> None:
    raw = json.loads(path.read_bytes())
    body = raw.get("epcisBody", {"eventList": [raw]})
    events = body.get("queryResults", {}).get("resultsBody", body)["eventList"]
    document = read_epcis(path.read_bytes(), now=NOW)
    assert [one.type for one in document.events] == [one["type"] for one in events]
    assert [one.number for one in document.events] == list(range(1, len(events) + 1))


@pytest.mark.skipif(not EVENT_HASH.is_dir(), reason="the event hash documents are not here")
def test_given_the_documents_of_the_event_hash_generator_then_all_are_read() -> None:
    paths = sorted(EVENT_HASH.glob("*.jsonld"))
    assert len(paths) == 22
    assert sum(len(read_epcis(path.read_bytes(), now=NOW).events) for path in paths) == 43


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the conformance corpus is not here")
@pytest.mark.parametrize("name", INVALID)
def test_given_an_invalid_document_of_the_corpus_then_it_is_refused_with_reason_and_position(name: str) -> None:
    assert problems((CORPUS / name).read_bytes()) == INVALID[name]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the conformance corpus is not here")
def test_given_the_corpus_then_every_invalid_capture_document_is_expected_here() -> None:
    found = [*CORPUS.glob("Capture/Invalid/*.json"), *CORPUS.glob("Query/Invalid/*.json")]
    assert {str(path.relative_to(CORPUS)) for path in found} == set(INVALID) - {"Query/Queries/SimpleEventQuery.json"}


@pytest.mark.skipif(not GDST.is_file(), reason="the seafood document is not here")
def test_given_the_seafood_document_then_quantities_times_and_extensions_are_exact() -> None:
    document = read_epcis(GDST.read_bytes(), now=NOW)
    assert len(document.events) == 21
    shipping = document.events[3]
    assert shipping.key == "urn:uuid:5bc0e729-bfb2-4eda-8e43-99b552c93708"
    assert shipping.occurred_at == datetime(2022, 1, 20, 11, 10, 14, 25000, tzinfo=UTC)
    lot = "urn:gdst:example.org:product:lot:class:fishfarm.1u.farmed-tuna-01192022"
    assert shipping.quantities == (EpcisQuantity(lot, Decimal(12000), "KGM"),)
    assert shipping.destinations == (EpcisParty("owning_party", "urn:gdst:example.org:party:processor.1u"),)
    assert shipping.attributes["gdst:humanWelfarePolicy"] == "3P Audit"
    assert document.events[16].transformation_id == "transform-1-22-2022-17:24"
    assert document.events[16].ilmd["cbvmda:lotNumber"] == "V1-0122-2022"
    assert document.master["urn:gdst:example.org:product:class:fishfarm.1u"].name == "Farmed Tuna"


@pytest.mark.skipif(not GDST.is_file(), reason="the seafood document is not here")
@pytest.mark.parametrize("length", [1, 5_000, 40_000, 74_000, 74_592])
def test_given_a_part_of_a_document_then_it_is_refused_as_cut_off(length: int) -> None:
    assert problems(GDST.read_bytes()[:length]) == [("TRUNCATED", None, "")]


@pytest.mark.parametrize(
    "document, code",
    [
        (b"", "NOT_JSON"),
        (b"hello", "NOT_JSON"),
        (b"{} {}", "NOT_JSON"),
        (b'{"name": "left-pad", "version": "1.3.0", "type": "module"}', "OTHER_DOCUMENT"),
        (b"[]", "OTHER_DOCUMENT"),
        (b"null", "OTHER_DOCUMENT"),
        (b'{"type": ["EPCISDocument"]}', "OTHER_DOCUMENT"),
        (b'<?xml version="1.0"?><epcis:EPCISDocument/>', "XML_DOCUMENT"),
        (b"\xef\xbb\xbf <a/>", "XML_DOCUMENT"),
        (b"[" * 10_000_000, "TOO_DEEP"),
        (b'{"a":' * 100, "TOO_DEEP"),
        (b"[]" * 1_000_000, "NOT_JSON"),
        (b'"' + b'\\"' * 1_000_000, "NOT_JSON"),
        (b"\xff\xfe{}", "NOT_TEXT"),
        (b'{"a": "\x00"}', "NOT_TEXT"),
        (b'{"a": "\\u0000"}', "NOT_TEXT"),
        (b'{"a": "\\ud800"}', "NOT_TEXT"),
        (b'{"\\u0000": 1}', "NOT_TEXT"),
        (b'{"a": NaN}', "NUMBER_INVALID"),
        (b'{"a": -Infinity}', "NUMBER_INVALID"),
        (b'{"a": ' + b"9" * 5000 + b"}", "NUMBER_INVALID"),
        (b'{"a": 1e99999999999999999999}', "NUMBER_INVALID"),
        (b'{"a": 1, "b": 2, "a": 1}', "KEY_REPEATED"),
        (b" " * (EPCIS_DOCUMENT_BYTES_MAX + 1), "TOO_LARGE"),
    ],
)
def test_given_what_is_no_epcis_document_then_it_is_refused_by_name(document: bytes, code: str) -> None:
    assert [problem[0] for problem in problems(document)] == [code]


@pytest.mark.parametrize(
    "number", ["0", "-1", "true", "null", '"5"', "1e999999999", "1e-999999999", "0.0000001", "1000000000001"]
)
def test_given_an_absurd_quantity_then_it_is_refused(number: str) -> None:
    document = content(event(0, action="ADD", quantityList=[some("a.1", 0.125)])).replace(b"0.125", number.encode())
    assert problems(document) == [("QUANTITY_INVALID", 1, "quantityList[1].quantity")]


def test_given_quantities_at_the_limits_then_they_are_exact() -> None:
    for number in ("0.000001", "1000000000000", "0.10", "1.5e3"):
        document = content(event(0, action="ADD", quantityList=[some("a.1", 0.125)])).replace(b"0.125", number.encode())
        quantity = read_epcis(document, now=NOW).events[0].quantities[0].quantity
        assert quantity == Decimal(number)


@pytest.mark.parametrize(
    "at, code",
    [
        ("2026-11-22T00:00:00.000001Z", "TIME_IN_FUTURE"),
        ("2027-01-01T00:00:00Z", "TIME_IN_FUTURE"),
        ("2026-02-30T00:00:00Z", "TIME_INVALID"),
        ("2026-03-14T08:00:00", "TIME_INVALID"),
        ("2026-03-14", "TIME_INVALID"),
        ("0001-01-01T00:00:00+14:00", "TIME_INVALID"),
        ("2026-03-14T08:00:00.1234567890Z", "TIME_INVALID"),
        (17, "FIELD_INVALID"),
    ],
)
def test_given_a_wrong_or_future_time_then_it_is_refused(at: object, code: str) -> None:
    problem = problems(content({**event(0, epcList=[]), "eventTime": at}))
    assert problem[0] == (code, 1, "eventTime")


def test_given_times_with_one_to_nine_fraction_digits_then_they_are_read_to_the_microsecond() -> None:
    for digits in range(1, 10):
        text = f"2026-03-14T08:00:00.{'123456789'[:digits]}+08:00"
        one = read({**event(0, epcList=[]), "eventTime": text}).events[0]
        assert one.occurred_at.microsecond == int("123456789"[:digits].ljust(6, "0")[:6])


@pytest.mark.parametrize(
    "fields, problem",
    [
        ({"colour": "red"}, ("NAMESPACE_MISSING", "colour")),
        ({"inputEPCList": []}, ("FIELD_NOT_ALLOWED", "inputEPCList")),
        ({"ilmd": {"x:a": 1}}, ("FIELD_NOT_ALLOWED", "ilmd")),
        ({"epcList": "urn:a:b"}, ("FIELD_INVALID", "epcList")),
        ({"epcList": ["bare"]}, ("FIELD_INVALID", "epcList")),
        ({"bizLocation": "urn:a:b"}, ("FIELD_INVALID", "bizLocation.id")),
        ({"eventTimeZoneOffset": "+25:00"}, ("TIME_INVALID", "eventTimeZoneOffset")),
        ({"errorDeclaration": {}}, ("FIELD_MISSING", "errorDeclaration.declarationTime")),
        ({"quantityList": [{"quantity": 1}]}, ("FIELD_MISSING", "quantityList[1].epcClass")),
        ({"quantityList": [some("a.1", 1, "kilo")]}, ("FIELD_INVALID", "quantityList[1].uom")),
    ],
)
def test_given_a_field_that_is_wrong_then_it_is_named(fields: dict[str, object], problem: tuple[str, str]) -> None:
    code, field = problem
    assert problems(content({**event(0, epcList=["urn:a:b:c"]), **fields})) == [(code, 1, field)]


def test_given_several_wrong_events_then_all_are_named_in_both_languages() -> None:
    wrong = [event(0, epcList=[]), {**event(1, epcList=[]), "action": "MAKE"}, {**event(2), "bizStep": "melting"}]
    with pytest.raises(EpcisRefusal) as refused:
        read_epcis(content(*wrong), now=NOW)
    english, chinese = word(refused.value, "en"), word(refused.value, "zh")
    assert "(event 2, action): “MAKE” is not an action" in english
    assert "event 3, bizStep: “melting” is not a word" in english
    assert "（第 2 个事件 action）：“MAKE”不是有效动作" in chinese


def test_given_words_of_the_vocabulary_in_any_form_then_they_read_alike() -> None:
    for term in (
        "shipping",
        "cbv:BizStep-shipping",
        "https://ref.gs1.org/cbv/BizStep-shipping",
        "urn:epcglobal:cbv:bizstep:shipping",
    ):
        assert read(event(0, epcList=[], bizStep=term)).events[0].biz_step == "shipping"
    assert (
        read(event(0, epcList=[], bizStep="urn:gdst:bizStep:landing")).events[0].biz_step == "urn:gdst:bizStep:landing"
    )


def test_given_a_bare_word_that_the_context_defines_then_it_is_taken() -> None:
    one = event(0, epcList=[], colour="red")
    document = read({**one, "@context": [{"colour": "https://example.org/colour"}]})
    assert document.events[0].attributes == {"colour": "red"}


def test_given_an_event_without_id_then_its_content_is_its_key() -> None:
    one = {**event(0, epcList=["urn:a:b:c"])}
    del one["eventID"]
    keys = [
        read({**one, **more}).events[0].key
        for more in ({}, {"recordTime": "2026-03-15T00:00:00Z"}, {"bizStep": "holding"})
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].startswith("sha256:")


@pytest.mark.parametrize(
    "uri, expected",
    [
        ("urn:epc:class:lgtin:4012345.011111.4444", "01/04012345111118/10/4444"),
        ("https://id.gs1.org/01/04012345111118/10/4444", "01/04012345111118/10/4444"),
        ("urn:epc:class:lgtin:4023333.002000.2019-10-07", "01/04023333020008/10/2019-10-07"),
        ("urn:epc:id:sgtin:0614141.812345.6789%2F%26%25", "01/80614141123458/21/6789/&%"),
        ("https://example.com/some/path/01/80614141123458/21/6789%2F%26%25", "01/80614141123458/21/6789/&%"),
        ("urn:epc:idpat:sgtin:4012345.066666.*", "01/04012345666663"),
        ("urn:epc:id:sscc:4012345.0000000111", "00/040123450000001112"),
        ("https://id.gs1.org/00/040123450000001112", "00/040123450000001112"),
        ("urn:epc:id:sgln:4012345.00011.987", "414/4012345000115/254/987"),
        ("urn:epc:id:sgln:4012345.00001.0", "414/4012345000016"),
        ("urn:epc:id:sscc:08600031303.0005", "urn:epc:id:sscc:08600031303.0005"),
        ("urn:gdst:example.org:location:loc:hatchery.1u", "urn:gdst:example.org:location:loc:hatchery.1u"),
    ],
)
def test_given_an_identifier_then_both_its_forms_are_one_identity(uri: str, expected: str) -> None:
    assert identity(uri) == expected


def test_given_identifiers_then_their_kind_lot_and_product_are_known() -> None:
    assert kind_of("urn:epc:id:sscc:08600031303.0005") is Kind.CONTAINER
    assert kind_of("https://id.gs1.org/8003/0040123450007418765") is Kind.CONTAINER
    assert kind_of("urn:epc:id:giai:4000001.111") is Kind.OTHER
    assert kind_of("https://id.gs1.org/01/04012345111118/21/7") is Kind.GOODS
    assert kind_of("urn:gdst:example.org:product:lot:class:a.1") is Kind.GOODS
    assert lot_number_of("urn:epc:class:lgtin:4012345.011111.44/44") == "44/44"
    classes = ["urn:gdst:x.org:product:class:mill", "urn:gdst:x.org:product:class:mill.1u"]
    assert product_of("urn:gdst:x.org:product:lot:class:mill.1u.ff1", classes) == classes[1]
    assert (
        product_of("urn:gdst:x.org:product:lot:class:other.2.ff1", classes)
        == "urn:gdst:x.org:product:lot:class:other.2"
    )
    assert product_of("urn:epc:class:lgtin:4012345.011111.4444", classes) == "04012345111118"


def test_given_identifiers_with_equal_or_long_ends_then_codes_differ_and_fit() -> None:
    codes = short_codes(["urn:a:loc:dock", "urn:b:loc:dock", "urn:a:loc:" + "long-" * 9, "04012345111118"])
    assert codes["04012345111118"] == "04012345111118"
    assert len(set(codes.values())) == 4
    assert all(len(code) <= 20 for code in codes.values())


@pytest.mark.skipif(not GDST.is_file(), reason="the seafood document is not here")
def test_given_the_seafood_document_then_plant_codes_are_readable_and_given_ones_stand() -> None:
    document = read_epcis(GDST.read_bytes(), now=NOW)
    location = "urn:gdst:example.org:location:loc:"
    assert propose_plants(document) == {
        "urn:epc:id:sgln:08600031303.1.1": "VESS",
        "urn:epc:id:sgln:08600031303.2.1": "PORT",
        "urn:epc:id:sgln:08600031303.3.1": "TRAN",
        f"{location}feedmill.1u": "FEED",
        f"{location}fishfarm.1u": "FISH",
        f"{location}hatchery.1u": "HATC",
        f"{location}importer.123u": "IMPO",
        f"{location}processor.plant1u": "PROC",
    }
    given = propose_plants(document, {f"{location}hatchery.1u": "FEED"}, taken=["FISH"])
    assert (given[f"{location}hatchery.1u"], given[f"{location}feedmill.1u"]) == ("FEED", "FEE2")
    assert given[f"{location}fishfarm.1u"] == "FIS2"


def test_given_a_mapping_to_what_is_no_plant_code_then_it_is_refused() -> None:
    document = read(event(0, epcList=["urn:a:b:c"]))
    with pytest.raises(Refusal) as refused:
        propose_plants(document, {"urn:example:loc:mill": "mill no 1"})
    assert refused.value.code is CODE_INVALID
