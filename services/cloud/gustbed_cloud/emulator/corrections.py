"""Where MiniStack would answer wrongly without saying so: mended, or refused by name.

``docs/emulator.md`` lists what differs from AWS.
"""

import re
from collections.abc import Callable
from typing import Any

MANUAL = "see docs/emulator.md"
EVALUATED = frozenset({"fields", "filter", "sort", "limit"})
"""Commands of Logs Insights that MiniStack carries out; it passes over the others."""
_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')


def logs(module: Any) -> None:
    """Let CloudWatch Logs refuse queries that are not evaluated, and match terms as AWS does."""
    start: Callable[[Any], Any] = module._start_query
    filter_events: Callable[[Any], Any] = module._filter_log_events

    def start_query(data: Any) -> Any:
        why = not_evaluated(module, data.get("queryString") or "")
        if why:
            return module.error_response_json("MalformedQueryException", why, 400)
        return start(data)

    def filter_log_events(data: Any) -> Any:
        pattern = (data.get("filterPattern") or "").strip()
        if pattern.startswith(("{", "[", "%")):
            why = f"filterPattern {pattern!r}: only terms are evaluated here: {MANUAL}"
            return module.error_response_json("InvalidParameterException", why, 400)
        return filter_events(data)

    module._start_query = start_query
    module._filter_log_events = filter_log_events
    module._compile_filter_pattern = matcher


def queues(sqs: Any) -> None:
    """Give back what functions were working on when the emulator ended: nobody else will.

    Left alone it stays hidden for the queue's visibility timeout: three minutes of telemetry.
    """
    load: Callable[[Any], Any] = sqs.load_persisted_state

    def load_and_give_back(data: Any) -> Any:
        answer = load(data)
        for _, queue in sqs._queues.all_items():
            for message in queue["messages"]:
                if message.get("receipt_handle"):
                    message["visible_at"] = message["sent_at"]
        return answer

    sqs.load_persisted_state = load_and_give_back


def not_evaluated(module: Any, query: str) -> str | None:
    """What of a Logs Insights query MiniStack would pass over, or None."""
    for stage in module._split_insights_pipes(query):
        text = stage.strip()
        command = text.split(maxsplit=1)[0].lower() if text else ""
        if command and command not in EVALUATED:
            return f"{command!r} is not evaluated here: {MANUAL}"
        if command == "filter" and not module._insights_filter_predicates(text):
            return f"{text!r} is not evaluated here: {MANUAL}"
    return None


def matcher(pattern: str) -> Callable[[str], bool]:
    """AWS's unstructured patterns: all terms, one of the ``?`` terms, none of the ``-`` terms.

    Case counts; a quoted phrase is one term; an empty pattern matches everything.
    """
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    for sign, quoted, bare in _TERM.findall(pattern or ""):
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)

    def matches(message: str) -> bool:
        return (
            all(term in message for term in terms[""])
            and not any(term in message for term in terms["-"])
            and (not terms["?"] or any(term in message for term in terms["?"]))
        )

    return matches


def rule_sql(iot: Any) -> None:
    """Let rules quote topics and texts with double quotes too; they are kept with single ones."""
    put: Callable[..., Any] = iot.put_topic_rule

    def put_topic_rule(name: str, payload: dict[str, Any], **options: Any) -> Any:
        sql = payload.get("sql")
        if isinstance(sql, str):
            payload = {**payload, "sql": single_quoted(sql)}
        return put(name, payload, **options)

    iot.put_topic_rule = put_topic_rule


def single_quoted(sql: str) -> str:
    """SQL whose double-quoted literals have single quotes; what is inside either stays."""

    def change(found: re.Match[str]) -> str:
        text = found.group(0)
        return text if text.startswith("'") else "'" + text[1:-1].replace("'", "''") + "'"

    return re.sub(r"""'(?:[^']|'')*'|"[^"]*\"""", change, sql)
