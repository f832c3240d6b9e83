"""Problems of an EPCIS document, their texts for users, and the refusal that lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plants.rules.values.refusals import Language, Refusal, RefusalCode, Wording

PROBLEMS_SHOWN_MAX = 20


class ProblemCode(StrEnum):
    """Every way in which a document fails the standard or our limits. A code is never renamed or reused."""

    ACTION_INVALID = "ACTION_INVALID"
    CONTEXT_MISSING = "CONTEXT_MISSING"
    DATE_INVALID = "DATE_INVALID"
    EVENT_TYPE_UNKNOWN = "EVENT_TYPE_UNKNOWN"
    FIELD_INVALID = "FIELD_INVALID"
    FIELD_MISSING = "FIELD_MISSING"
    FIELD_NOT_ALLOWED = "FIELD_NOT_ALLOWED"
    IDENTIFIERS_MISSING = "IDENTIFIERS_MISSING"
    KEY_REPEATED = "KEY_REPEATED"
    NAMESPACE_MISSING = "NAMESPACE_MISSING"
    NOT_JSON = "NOT_JSON"
    NOT_TEXT = "NOT_TEXT"
    NUMBER_INVALID = "NUMBER_INVALID"
    OTHER_DOCUMENT = "OTHER_DOCUMENT"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    SITE_UNASSIGNED = "SITE_UNASSIGNED"
    TIME_INVALID = "TIME_INVALID"
    TIME_IN_FUTURE = "TIME_IN_FUTURE"
    TOO_DEEP = "TOO_DEEP"
    TOO_LARGE = "TOO_LARGE"
    TRUNCATED = "TRUNCATED"
    WORD_NOT_STANDARD = "WORD_NOT_STANDARD"
    XML_DOCUMENT = "XML_DOCUMENT"


P = ProblemCode
WORDINGS: Mapping[ProblemCode, Wording] = {
    P.ACTION_INVALID: Wording(
        "“{value}” is not an action; use ADD, OBSERVE or DELETE",
        "“{value}”不是有效动作，应为 ADD、OBSERVE 或 DELETE",
    ),
    P.CONTEXT_MISSING: Wording("the JSON-LD @context is missing", "缺少 JSON-LD 的 @context"),
    P.DATE_INVALID: Wording(
        "“{value}” is not a date; write it like 2026-03-14", "“{value}”不是日期，请写成 2026-03-14 这样的形式"
    ),
    P.EVENT_TYPE_UNKNOWN: Wording("“{value}” is not an EPCIS event type", "“{value}”不是 EPCIS 事件类型"),
    P.FIELD_INVALID: Wording("“{value}” cannot stand here", "此处不能填写“{value}”"),
    P.FIELD_MISSING: Wording("this field is mandatory and missing", "缺少必填字段"),
    P.FIELD_NOT_ALLOWED: Wording("this field does not belong here", "此处不允许该字段"),
    P.IDENTIFIERS_MISSING: Wording("no goods are named", "未列出任何货物标识"),
    P.KEY_REPEATED: Wording("the key “{value}” stands twice in one object", "同一对象中键“{value}”出现两次"),
    P.NAMESPACE_MISSING: Wording(
        "“{value}” is not part of the standard and has no namespace (prefix:name)",
        "“{value}”不属于标准字段，且没有命名空间（前缀:名称）",
    ),
    P.NOT_JSON: Wording("this is not JSON ({value})", "不是 JSON（{value}）"),
    P.NOT_TEXT: Wording("this is not UTF-8 text ({value})", "不是 UTF-8 文本（{value}）"),
    P.NUMBER_INVALID: Wording("“{value}” is not a number that JSON allows", "“{value}”不是 JSON 允许的数字"),
    P.OTHER_DOCUMENT: Wording("this is not an EPCIS 2.0 document but {value}", "不是 EPCIS 2.0 文档，而是 {value}"),
    P.QUANTITY_INVALID: Wording(
        "“{value}” is not a quantity: a number above zero, up to 10^12, with at most six decimals is needed",
        "“{value}”不是有效数量，应为大于零、不超过 10^12、最多六位小数的数字",
    ),
    P.SITE_UNASSIGNED: Wording("no plant is assigned to site {value}", "未给站点 {value} 指定工厂"),
    P.TIME_INVALID: Wording(
        "“{value}” is not a time with its offset; write it like 2026-03-14T08:00:00+08:00",
        "“{value}”不是带时区的时间，请写成 2026-03-14T08:00:00+08:00 这样的形式",
    ),
    P.TIME_IN_FUTURE: Wording("{value} lies in the future", "{value} 是将来的时间"),
    P.TOO_DEEP: Wording("brackets are nested deeper than {value}", "括号嵌套超过 {value} 层"),
    P.TOO_LARGE: Wording("the file is larger than {value} bytes", "文件大于 {value} 字节"),
    P.TRUNCATED: Wording("the document ends in the middle ({value})", "文档不完整，在中途结束（{value}）"),
    P.WORD_NOT_STANDARD: Wording(
        "“{value}” is not a word of the Core Business Vocabulary; a word of one's own needs a namespace",
        "“{value}”不是核心业务词汇（CBV）中的词，自定义词需要命名空间",
    ),
    P.XML_DOCUMENT: Wording(
        "this is XML; EPCIS 2.0 in its JSON form is needed", "这是 XML 文件，需要 JSON 形式的 EPCIS 2.0"
    ),
}


@dataclass(frozen=True, slots=True)
class EpcisProblem:
    """One thing wrong: what, in which event (from 1; None for the document), at which field, with what there."""

    code: ProblemCode
    event: int | None = None
    field: str = ""
    value: str = ""

    def where(self, language: Language) -> str:
        """Return the position in the document in the language asked for."""
        event = "" if self.event is None else f"第 {self.event} 个事件" if language == "zh" else f"event {self.event}"
        parts = [part for part in (event, self.field) if part]
        document = "文档" if language == "zh" else "document"
        return (" " if language == "zh" else ", ").join(parts) or document

    def message(self, language: Language) -> str:
        """Return position and problem in the language asked for."""
        wording = WORDINGS[self.code]
        text = (wording.zh if language == "zh" else wording.en).format(value=self.value[:80])
        return f"{self.where(language)}{'：' if language == 'zh' else ': '}{text}"


class EpcisRefusal(Refusal):
    """The document cannot be taken; every problem found is named, in document order."""

    def __init__(self, problems: Sequence[EpcisProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(RefusalCode.DOCUMENT_INVALID, where=first.where("en"), why=first.code.value)

    def message(self, language: Language) -> str:
        """Return the problems as one sentence in the language asked for, at most PROBLEMS_SHOWN_MAX of them."""
        shown = [problem.message(language) for problem in self.problems[:PROBLEMS_SHOWN_MAX]]
        more = len(self.problems) - len(shown)
        if language == "zh":
            return f"无法导入该 EPCIS 文档：{'；'.join(shown)}{f'；另有 {more} 处问题' if more else ''}。"
        rest = f"; and {more} more" if more else ""
        return f"The EPCIS document cannot be imported: {'; '.join(shown)}{rest}."
