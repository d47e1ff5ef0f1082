"""A verification report for people, in Chinese and English: Markdown, and JSON with the same facts.

Both are drawn from the signed statement alone and say so; neither is signed. What is missing in the statement
is missing here. Every text in them has passed the content's schema, so none can carry markup that hides it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from carbonseal_attest.instants import format_instant
from carbonseal_attest.quantities import format_decimal
from carbonseal_verifier.admissions import PartyFacts
from carbonseal_verifier.opinion import FINDING, TOTAL, misstatements, threshold
from carbonseal_verifier.statement_file import StatementFile

FORMAT: Final = "carbonseal-verification-report/v1"
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>|#!])")
OPINION_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "unmodified": ("无保留意见", "unmodified"),
    "modified": ("保留意见", "modified"),
    "adverse": ("否定意见", "adverse"),
    "disclaimer": ("无法表示意见", "disclaimer"),
}
LEVEL_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "reasonable": ("合理保证", "reasonable"),
    "limited": ("有限保证", "limited"),
}
_TYPE_NAMES: Final[Mapping[str, str]] = {
    "misstatement": "错报",
    "non_conformity": "不符合监测计划",
    "non_compliance": "不符合法规",
    "observation": "观察项",
}
_SEVERITY_NAMES: Final[Mapping[str, str]] = {
    "critical": "严重",
    "major": "重大",
    "minor": "轻微",
    "informational": "提示",
}
_STATE_NAMES: Final[Mapping[str, str]] = {"open": "未关闭", "closed": "已关闭"}
_OUTCOMES: Final[Mapping[str, str]] = {"passed": "通过", "failed": "未通过", "not run": "未执行"}


def report_json(file: StatementFile, body: PartyFacts, state: str | None) -> bytes:
    """Return a verification report as JSON: the content's fields, byte strings in hex, and who signed it.

    `state` is the receipt state as the log host names it, None while the statement is not logged.
    """
    content = file.content.body
    value = {
        "format": FORMAT,
        "statement_digest": file.statement.digest.hex(),
        "verification_body": {"party": body.party, "name": dict(body.name), "org": body.org},
        "issued_at": format_instant(file.statement.header.issued_at * 1000),
        "receipt_state": state,
        "misstatements": format_decimal(misstatements(content)),
        "materiality": format_decimal(threshold(content)),
        "sampling_text": sampling_text(content["sampling"]),
        **_json(content),
        "period": {key: format_instant(content["period"][key]) for key in ("start", "end")},
    }
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def sampling_text(sampling: Mapping[str, Any] | None) -> dict[str, str]:
    """Return in words what sample an opinion rests on, in Chinese and English; plainly where on none."""
    if sampling is None:
        return {"zh": "没有抽样", "en": "no sample was drawn"}
    drawn, answered = sampling["drawn"], sampling["answered"]
    return {
        "zh": f"抽取 {drawn} 个时段,其中有有效值 {answered} 个",
        "en": f"{drawn} slots drawn, {answered} with a usable value",
    }


def report_markdown(file: StatementFile, body: PartyFacts, state: str | None) -> str:
    """Return a verification report as Markdown, Chinese first; `state` as in `report_json`."""
    content = file.content.body
    zh, en = OPINION_NAMES[content["opinion"]]
    level_zh, level_en = LEVEL_NAMES[content["level_of_assurance"]]
    start, end = (format_instant(content["period"][key]) for key in ("start", "end"))
    names = " / ".join(_text(body.name[language]) for language in ("zh", "en"))
    lines = [
        "# 核查报告 / Verification report",
        "",
        f"**{zh} / {en}**, {level_zh} / {level_en} assurance",
        "",
        f"> {_text(content['opinion_text']['zh'])}",
        ">",
        f"> {_text(content['opinion_text']['en'])}",
        "",
        "| 项目 / item | |",
        "|---|---|",
        f"| 核查机构 / verification body | {names} ({body.party}) |",
        f"| 重点排放单位 / operator | {content['operator']} |",
        f"| 报告期 / reporting period | {start} – {end} |",
        f"| 准则 / criteria | {_text(content['criteria'])} |",
        f"| 重要性 / materiality | {content['materiality_percent']} % |",
        f"| 核查业务 / engagement | {content['engagement']} |",
        f"| 排放报告声明 / report statement | `{content['report_digest'].hex()}` |",
        f"| 证据包 / bundle, SHA-256 | `{content['bundle_digest'].hex()}` |",
        f"| 信任文件 / trust file, SHA-256 | `{content['trust_digest'].hex()}` |",
        f"| 本声明 / this statement | `{file.statement.digest.hex()}` |",
        f"| 登记状态 / receipt state | {state or '未登记 / not logged'} |",
        "",
        *_figures(content),
        *_findings(content),
        *_sampling(content),
        *_steps(content),
        "由签名声明生成,本文件未签名。 / Drawn from the signed statement; this file is not signed.",
        "",
    ]
    return "\n".join(lines)


def _figures(content: Mapping[str, Any]) -> list[str]:
    lines = ["## 数值 / Figures", ""]
    if not content["figures"]:
        return [*lines, "没有重新计算。 / Nothing was computed again.", ""]
    lines += ["| | 报告 / reported | 核查 / computed again | 差异 / difference | |", "|---|--:|--:|--:|---|"]
    names = sorted(content["figures"], key=lambda name: (name != TOTAL, name.startswith(FINDING), name))
    for name in names:
        row = content["figures"][name]
        values = (row[key]["value"] for key in ("operator", "verification_body", "difference"))
        label = "合计 / total" if name == TOTAL else _text(name)
        lines.append(f"| {label} | {' | '.join(values)} | {_text(row['difference']['unit'])} |")
    found, most = format_decimal(misstatements(content)), format_decimal(threshold(content))
    unit = _text(content["figures"][TOTAL]["verification_body"]["unit"])
    return [*lines, "", f"错报 / misstatements {found} {unit}; 重要性 / material from {most} {unit}", ""]


def _findings(content: Mapping[str, Any]) -> list[str]:
    lines = ["## 不符合项 / Findings", ""]
    if not content["findings"]:
        return [*lines, "无 / none", ""]
    for row in content["findings"]:
        kind = f"{_TYPE_NAMES[row['type']]} / {row['type'].replace('_', ' ')}"
        severity = f"{_SEVERITY_NAMES[row['severity']]} / {row['severity']}"
        state = f"{_STATE_NAMES[row['state']]} / {row['state']}"
        lines += [
            f"- **{_text(row['finding'])}** ({kind}; {severity}; {state})",
            f"  {_text(row['text']['zh'])}",
        ]
        lines.append(f"  {_text(row['text']['en'])}")
        lines += [f"  `{digest.hex()}`" for digest in row["digests"]]
    return [*lines, ""]


def _sampling(content: Mapping[str, Any]) -> list[str]:
    sampling = content["sampling"]
    lines = ["## 抽样 / Sampling", ""]
    told = sampling_text(sampling)
    if sampling is None:
        return [*lines, f"{told['zh']} / {told['en']}", ""]
    counts = f"{told['zh']} / {told['en']}"
    digests = (
        f"承诺 / commitment `{sampling['commitment_digest'].hex()}`",
        f"记录 / transcript `{sampling['transcript_digest'].hex()}`",
    )
    return [*lines, counts, "", *(f"- {one}" for one in digests), ""]


def _steps(content: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {_text(name)} | {_OUTCOMES[outcome]} / {outcome} |" for name, outcome in content["steps"].items()
    ]
    return ["## 校验步骤 / Steps of the check", "", "| | |", "|---|---|", *rows, ""]


def _text(value: str) -> str:
    """Return text that Markdown shows as it is: a name must not become a link or a heading."""
    return _MARKUP.sub(r"\\\1", value)


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    return value
