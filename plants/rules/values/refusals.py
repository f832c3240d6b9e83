"""The named ways in which Batchloom says no, each with its data and its text in English and Chinese."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

Language = str
"""A language tag; English is `en`."""


class RefusalCode(StrEnum):
    """Every expected "no". A code is never renamed or reused."""

    ALIAS_TAKEN = "ALIAS_TAKEN"
    AMOUNT_NOT_A_NUMBER = "AMOUNT_NOT_A_NUMBER"
    AMOUNT_NOT_POSITIVE = "AMOUNT_NOT_POSITIVE"
    AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"
    AMOUNT_TOO_PRECISE = "AMOUNT_TOO_PRECISE"
    BATCH_CODE_INVALID = "BATCH_CODE_INVALID"
    BATCH_EXPIRED = "BATCH_EXPIRED"
    BATCH_NOT_IN_TRANSFER = "BATCH_NOT_IN_TRANSFER"
    BATCH_OF_OTHER_PROCESS = "BATCH_OF_OTHER_PROCESS"
    BATCH_ON_HOLD = "BATCH_ON_HOLD"
    BATCH_RESTRICTED = "BATCH_RESTRICTED"
    BATCH_UNKNOWN = "BATCH_UNKNOWN"
    CHANGE_ALREADY_DECIDED = "CHANGE_ALREADY_DECIDED"
    CHANGE_EXPIRED = "CHANGE_EXPIRED"
    CHANGE_LEVEL_WRONG = "CHANGE_LEVEL_WRONG"
    CHANGE_OWN_REQUEST = "CHANGE_OWN_REQUEST"
    CHANGE_REQUIRED = "CHANGE_REQUIRED"
    CHANGE_STALE = "CHANGE_STALE"
    CHANGE_UNKNOWN = "CHANGE_UNKNOWN"
    CODE_INVALID = "CODE_INVALID"
    CODE_TAKEN = "CODE_TAKEN"
    CORRECTION_IMPOSSIBLE = "CORRECTION_IMPOSSIBLE"
    DATE_INVALID = "DATE_INVALID"
    DIRECTED_HOLD_UNKNOWN = "DIRECTED_HOLD_UNKNOWN"
    DIRECTIVE_SUPERSEDED = "DIRECTIVE_SUPERSEDED"
    DISPOSITION_MOVE_INVALID = "DISPOSITION_MOVE_INVALID"
    DISPUTE_SETTLED = "DISPUTE_SETTLED"
    DISPUTE_UNKNOWN = "DISPUTE_UNKNOWN"
    DOCUMENT_INVALID = "DOCUMENT_INVALID"
    ENTRY_ALREADY_CORRECTED = "ENTRY_ALREADY_CORRECTED"
    ENTRY_BUILT_ON = "ENTRY_BUILT_ON"
    ENTRY_NOT_PARKED = "ENTRY_NOT_PARKED"
    ENTRY_PRUNED = "ENTRY_PRUNED"
    ENTRY_TOO_LARGE = "ENTRY_TOO_LARGE"
    ENTRY_UNKNOWN = "ENTRY_UNKNOWN"
    EXPIRY_NOT_LATER = "EXPIRY_NOT_LATER"
    HOLD_DIRECTED = "HOLD_DIRECTED"
    HOLD_UNKNOWN = "HOLD_UNKNOWN"
    LINES_INVALID = "LINES_INVALID"
    MATERIAL_DIFFERS = "MATERIAL_DIFFERS"
    NOTHING_CHANGES = "NOTHING_CHANGES"
    NOT_DEFINED = "NOT_DEFINED"
    NOT_PERMITTED = "NOT_PERMITTED"
    PLANT_FENCED = "PLANT_FENCED"
    PROCESS_CLOSED = "PROCESS_CLOSED"
    PROCESS_UNKNOWN = "PROCESS_UNKNOWN"
    PROPOSAL_DIFFERS = "PROPOSAL_DIFFERS"
    REQUEST_PRUNED = "REQUEST_PRUNED"
    REQUEST_REUSED = "REQUEST_REUSED"
    STOCK_SHORT = "STOCK_SHORT"
    TEXT_INVALID = "TEXT_INVALID"
    TIME_IN_FUTURE = "TIME_IN_FUTURE"
    TIME_TOO_OLD = "TIME_TOO_OLD"
    TRANSFER_MANIFEST_INVALID = "TRANSFER_MANIFEST_INVALID"
    TRANSFER_NOT_FOR_THIS_PLANT = "TRANSFER_NOT_FOR_THIS_PLANT"
    TRANSFER_RECEIVED = "TRANSFER_RECEIVED"
    UNIT_NOT_CONVERTIBLE = "UNIT_NOT_CONVERTIBLE"
    UNIT_UNKNOWN = "UNIT_UNKNOWN"
    UNSUPPORTED = "UNSUPPORTED"


class Wording(NamedTuple):
    """The text of a refusal in both languages; `{name}` stands for a datum of that name."""

    en: str
    zh: str


C = RefusalCode
WORDINGS: Mapping[RefusalCode, Wording] = {
    C.ALIAS_TAKEN: Wording(
        "{alias} already names batch {batch} here. Scan the goods again or use another alias.",
        "别名 {alias} 已指向批次 {batch}，请重新扫描或改用其他别名。",
    ),
    C.AMOUNT_NOT_A_NUMBER: Wording(
        "“{amount}” is not a decimal number. Write it like 12.5.",
        "“{amount}”不是十进制数，请写成 12.5 这样的形式。",
    ),
    C.AMOUNT_NOT_POSITIVE: Wording(
        "The quantity must be more than zero, not {amount}.", "数量必须大于零，当前为 {amount}。"
    ),
    C.AMOUNT_TOO_LARGE: Wording(
        "The quantity {amount} is above the limit of {limit}. Check the unit.",
        "数量 {amount} 超过上限 {limit}，请检查单位。",
    ),
    C.AMOUNT_TOO_PRECISE: Wording(
        "The quantity {amount} has more than {decimals} decimals.", "数量 {amount} 的小数超过 {decimals} 位。"
    ),
    C.BATCH_CODE_INVALID: Wording(
        "“{code}” is not a batch code: {why}. Scan the label again.",
        "“{code}”不是有效的批次号（{why}），请重新扫描标签。",
    ),
    C.BATCH_EXPIRED: Wording(
        "Batch {batch} expired at the end of {expires_on}. It cannot be used.",
        "批次 {batch} 已于 {expires_on} 日终过期，不能使用。",
    ),
    C.BATCH_NOT_IN_TRANSFER: Wording(
        "Batch {batch} is not part of transfer {transfer}. Check which label was scanned.",
        "批次 {batch} 不在调拨 {transfer} 中，请核对所扫描的标签。",
    ),
    C.BATCH_OF_OTHER_PROCESS: Wording(
        "Batch {batch} was not made in process record {process}. Declare the output as a new batch.",
        "批次 {batch} 不是由过程记录 {process} 产出的，请将产出登记为新批次。",
    ),
    C.BATCH_ON_HOLD: Wording(
        "Batch {batch} is on hold ({kind}: {reason}). Ask quality to release it.",
        "批次 {batch} 已被冻结（{kind}：{reason}），请联系质量部门放行。",
    ),
    C.BATCH_RESTRICTED: Wording(
        "Batch {batch} is {disposition}, not unrestricted. It cannot be used.",
        "批次 {batch} 的处置状态为 {disposition}，非非限制状态，不能使用。",
    ),
    C.BATCH_UNKNOWN: Wording(
        "No batch {batch} is known here. Check the code or scan the label again.",
        "此处没有批次 {batch}，请核对批次号或重新扫描标签。",
    ),
    C.CHANGE_ALREADY_DECIDED: Wording(
        "Change request {change} was already {state}. Nothing was changed again.",
        "变更申请 {change} 已处理（{state}），未重复变更。",
    ),
    C.CHANGE_EXPIRED: Wording(
        "Change request {change} expired at {expires_at}. Make a new request.",
        "变更申请 {change} 已于 {expires_at} 失效，请重新申请。",
    ),
    C.CHANGE_LEVEL_WRONG: Wording(
        "Change request {change} is to be decided at: {levels}.",
        "变更申请 {change} 应由以下层级审批：{levels}。",
    ),
    C.CHANGE_OWN_REQUEST: Wording(
        "You made change request {change} yourself. Another person must decide it.",
        "变更申请 {change} 由您本人提出，须由他人审批。",
    ),
    C.CHANGE_REQUIRED: Wording(
        "A difference of {difference} {unit} on batch {batch} at {location} is above {percent} % of what is on hand. "
        "Ask for a change request.",
        "批次 {batch} 在 {location} 的差异 {difference} {unit} 超过现有量的 {percent}%，请提交变更申请。",
    ),
    C.CHANGE_STALE: Wording(
        "Batch {batch} changed after the request (version {proposed}, now {current}). Make a new request.",
        "批次 {batch} 在申请后已变化（申请版本 {proposed}，当前版本 {current}），请重新申请。",
    ),
    C.CHANGE_UNKNOWN: Wording("There is no change request {change} here.", "此处没有变更申请 {change}。"),
    C.CODE_INVALID: Wording(
        "“{code}” cannot be the code of a {thing}: use {rule}.", "“{code}”不能作为{thing}代码，应为：{rule}。"
    ),
    C.CODE_TAKEN: Wording("The code {code} is already used for another {thing}.", "代码 {code} 已被其他{thing}使用。"),
    C.CORRECTION_IMPOSSIBLE: Wording(
        "Entry {entry} ({type}) is not of a kind that is corrected. Record what is right as a new entry.",
        "条目 {entry}（{type}）不属于可更正的类型，请另行记录正确内容。",
    ),
    C.DATE_INVALID: Wording(
        "“{date}” is not a date or time. Write it like 2026-03-14.",
        "“{date}”不是有效日期或时间，请写成 2026-03-14 这样的形式。",
    ),
    C.DIRECTED_HOLD_UNKNOWN: Wording(
        "Headquarters has no hold or recall {hold} in force. Look at the directives again.",
        "总部没有生效中的冻结或召回 {hold}，请重新查看指令。",
    ),
    C.DIRECTIVE_SUPERSEDED: Wording(
        "Headquarters has said otherwise since, in directive {later}. That one counts.",
        "总部此后已另有指令（第 {later} 条），以该指令为准。",
    ),
    C.DISPOSITION_MOVE_INVALID: Wording(
        "Batch {batch} cannot go from {before} to {after}.", "批次 {batch} 不能由 {before} 变为 {after}。"
    ),
    C.DISPUTE_SETTLED: Wording("Disputed entry {dispute} was settled already.", "争议条目 {dispute} 已处理。"),
    C.DISPUTE_UNKNOWN: Wording("There is no disputed entry {dispute} here.", "此处没有争议条目 {dispute}。"),
    C.DOCUMENT_INVALID: Wording("The document cannot be read ({where}): {why}.", "无法读取该文档（{where}）：{why}。"),
    C.ENTRY_ALREADY_CORRECTED: Wording(
        "Entry {entry} was already corrected by entry {by}.", "条目 {entry} 已由条目 {by} 更正。"
    ),
    C.ENTRY_BUILT_ON: Wording(
        "Entry {by} builds on entry {entry}. Correct entry {by} first.",
        "条目 {by} 以条目 {entry} 为基础，请先更正条目 {by}。",
    ),
    C.ENTRY_NOT_PARKED: Wording(
        "Entry {entry} of plant {plant} does not wait because of itself, or is not the one that was shown. List again.",
        "工厂 {plant} 的条目 {entry} 未因自身原因等待，或与所示内容不符，请重新列出。",
    ),
    C.ENTRY_PRUNED: Wording(
        "The content of entry {entry} is kept at the hub and in the archive, no longer here. Ask for it to be fetched.",
        "条目 {entry} 的内容已移出本厂，仅保存在总部和归档中，请联系管理员取回。",
    ),
    C.ENTRY_TOO_LARGE: Wording(
        "This is {size} bytes and one ledger entry holds {limit}. Send fewer lines at a time.",
        "内容为 {size} 字节，单个账本条目上限为 {limit} 字节，请减少每次的行数。",
    ),
    C.ENTRY_UNKNOWN: Wording("There is no ledger entry {entry} here.", "此处没有账本条目 {entry}。"),
    C.EXPIRY_NOT_LATER: Wording(
        "The new expiry of batch {batch} must be later than {present}, not {wanted}.",
        "批次 {batch} 的新到期日必须晚于 {present}，当前为 {wanted}。",
    ),
    C.HOLD_DIRECTED: Wording(
        "Hold {hold} on batch {batch} was placed by headquarters. Only headquarters can lift it: ask there.",
        "批次 {batch} 的冻结 {hold} 由总部下达，只能由总部解除，请联系总部。",
    ),
    C.HOLD_UNKNOWN: Wording(
        "Batch {batch} has no open hold {hold} here. Look at its holds again.",
        "批次 {batch} 在此处没有未解除的冻结 {hold}，请重新查看其冻结。",
    ),
    C.LINES_INVALID: Wording(
        "Between 1 and {limit} lines are needed, not {count}.", "行数应在 1 到 {limit} 之间，当前为 {count}。"
    ),
    C.MATERIAL_DIFFERS: Wording(
        "Batch {batch} is of material {material}, not {expected}. Only the same material can be joined.",
        "批次 {batch} 的物料为 {material}，不是 {expected}，只能合并同一物料。",
    ),
    C.NOTHING_CHANGES: Wording("This would change nothing: {why}.", "此操作不会带来任何变化：{why}。"),
    C.NOT_DEFINED: Wording(
        "No {thing} with the code {code} is defined here. Define it first.",
        "此处未定义代码为 {code} 的{thing}，请先定义。",
    ),
    C.NOT_PERMITTED: Wording("This was not found, or you may not do it here.", "未找到该内容，或您无权在此操作。"),
    C.PLANT_FENCED: Wording(
        "Another copy of plant {plant} is in use, so nothing is written here. A person must say which copy counts.",
        "工厂 {plant} 的另一副本正在使用，此处已停止写入，请由负责人确认以哪一份为准。",
    ),
    C.PROCESS_CLOSED: Wording(
        "Process record {process} is closed. Open a new one or correct the closing entry.",
        "过程记录 {process} 已关闭，请新开记录或更正关闭条目。",
    ),
    C.PROCESS_UNKNOWN: Wording("No process record {process} is known here.", "此处没有过程记录 {process}。"),
    C.PROPOSAL_DIFFERS: Wording(
        "Change request {change} is not what you were shown. Read it again before deciding.",
        "变更申请 {change} 与您所见内容不一致，请重新查看后再审批。",
    ),
    C.REQUEST_PRUNED: Wording(
        "Request {request} was answered long ago, by entry {entry}. It is not done again: look there.",
        "请求号 {request} 早已由条目 {entry} 处理，不会重复执行，结果请查阅该条目。",
    ),
    C.REQUEST_REUSED: Wording(
        "Request {request} was already used for something else. Send a new request id.",
        "请求号 {request} 已用于其他操作，请使用新的请求号。",
    ),
    C.STOCK_SHORT: Wording(
        "Only {available} {unit} of batch {batch} at {location}, {wanted} {unit} wanted. Count again or take less.",
        "批次 {batch} 在 {location} 仅有 {available} {unit}，需要 {wanted} {unit}，请重新盘点或减少数量。",
    ),
    C.TEXT_INVALID: Wording("The {field} must be {rule}.", "{field} 必须为：{rule}。"),
    C.TIME_IN_FUTURE: Wording(
        "{at} lies in the future. Check the clock of the device.", "{at} 是将来的时间，请检查设备时钟。"
    ),
    C.TIME_TOO_OLD: Wording(
        "{at} is more than {days} days ago. Import history with “batchloom import” instead.",
        "{at} 已超过 {days} 天，历史数据请用 “batchloom import” 导入。",
    ),
    C.TRANSFER_MANIFEST_INVALID: Wording(
        "The transfer label cannot be read: {why}. Scan it again.", "无法读取调拨标签：{why}，请重新扫描。"
    ),
    C.TRANSFER_NOT_FOR_THIS_PLANT: Wording(
        "This transfer goes to plant {destination}, not to {plant}.",
        "该调拨的目的工厂是 {destination}，不是 {plant}。",
    ),
    C.TRANSFER_RECEIVED: Wording("Transfer {transfer} was already received here.", "调拨 {transfer} 已在此收货。"),
    C.UNIT_NOT_CONVERTIBLE: Wording(
        "{unit} cannot be converted to {target} for this material. Define a conversion or use another unit.",
        "该物料无法由 {unit} 换算为 {target}，请定义换算或改用其他单位。",
    ),
    C.UNIT_UNKNOWN: Wording(
        "{unit} is not a known unit. Use a UN/ECE Rec 20 code such as KGM, or define it.",
        "{unit} 不是已知单位，请使用 KGM 等 UN/ECE Rec 20 代码，或先定义。",
    ),
    C.UNSUPPORTED: Wording("This program cannot do what {type} asks. Update it.", "本程序版本不支持 {type}，请升级。"),
}

# What the data `thing` and `field` name, in Chinese; a name of the person's own stays as it is.
THINGS_ZH: Mapping[str, str] = {
    "customer": "客户",
    "equipment": "设备",
    "key": "密钥",
    "location": "库位",
    "material": "物料",
    "person": "人员",
    "plant": "工厂",
    "revoked plant": "已吊销的工厂",
    "supplier": "供应商",
    "unit": "计量单位",
}
FIELDS_ZH: Mapping[str, str] = {
    "alias": "别名",
    "attribute": "属性名称",
    "attributes": "属性",
    "comment": "审批意见",
    "conversions": "单位换算",
    "days": "天数",
    "grade": "等级",
    "job order": "工单",
    "name": "名称",
    "order": "订单号",
    "password": "密码",
    "person": "工号",
    "plant number": "工厂编号",
    "reason": "原因",
    "role": "角色",
    "segment": "工段",
    "supplier lot": "供应商批号",
    "time zone": "时区",
}


class Refusal(Exception):
    """An expected "no": what was refused, with the data that a person needs to go on."""

    def __init__(self, code: RefusalCode, /, **data: object) -> None:
        self.code = code
        self.data = {name: str(value) for name, value in data.items()}
        super().__init__(self.message("en"))

    def message(self, language: Language) -> str:
        """Return the refusal as a sentence in the language asked for."""
        wording = WORDINGS[self.code]
        if language == "en":
            return wording.en.format_map(self.data)
        named = {
            name: words.get(self.data[name], self.data[name])
            for name, words in (("thing", THINGS_ZH), ("field", FIELDS_ZH))
            if name in self.data
        }
        return wording.zh.format_map(self.data | named)
