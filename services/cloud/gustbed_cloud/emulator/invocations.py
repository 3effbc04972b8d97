"""How many functions run at once in the emulator, and whether a rule may call one.

MiniStack starts a thread and a process of some 50 MB for every message of a rule that calls a
function: under a farm's telemetry it has no time left for anything else. And it asks for no
permission, where AWS does.
"""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

AT_ONCE = 8
"""Functions that run at once, over all; the others wait for their turn."""
WAITING = 1_000
"""Messages that may wait for a function that a rule calls; AWS would hold them for hours."""
PATIENCE = 60.0
"""Seconds that a call waits for its turn: longer means that those who run wait for it."""
COMPLAIN_EVERY = 60.0

Execute = Callable[[dict[str, Any], Any], Any]


class Turns:
    """Lets so many run at once."""

    def __init__(self, at_once: int, patience: float = PATIENCE) -> None:
        self._free = threading.BoundedSemaphore(at_once)
        self._patience = patience

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn. A function may call another and wait for it: patience ends that."""
        had = self._free.acquire(timeout=self._patience)
        try:
            yield
        finally:
            if had:
                self._free.release()


@dataclass
class Messages:
    """What rules want functions to be called with, called in order of arrival by a few threads."""

    execute: Execute
    dropped: int = 0
    _waiting: "queue.Queue[tuple[dict[str, Any], Any]]" = field(
        default_factory=lambda: queue.Queue(WAITING)
    )
    _complained: float = float("-inf")

    def start(self, threads: int) -> None:
        """Begin to call."""
        for _ in range(threads):
            threading.Thread(target=self._run, daemon=True).start()

    def put(self, function: dict[str, Any], event: Any) -> None:
        """Let a function be called with an event, unless too many wait already."""
        try:
            self._waiting.put_nowait((function, event))
        except queue.Full:
            self.dropped += 1
            if time.monotonic() - self._complained > COMPLAIN_EVERY:
                self._complained = time.monotonic()
                _say(
                    f"a rule calls a function more often than it can run: {self.dropped} messages "
                    "dropped so far; put a queue between them"
                )

    def _run(self) -> None:
        while True:
            function, event = self._waiting.get()
            with contextlib.suppress(Exception):
                self.execute(function, event)


def limit(lambdas: Any, turns: Turns) -> None:
    """Let every call of a function wait for its turn, whoever makes it."""
    execute: Execute = lambdas._execute_function

    def in_turn(function: dict[str, Any], event: Any) -> Any:
        with turns.one():
            return execute(function, event)

    lambdas._execute_function = in_turn


def call_by_rules(iot: Any, lambdas: Any, evaluator: Any, messages: Messages) -> None:
    """Let rules call functions through ``messages``, and only those that allow it."""
    refused: set[str] = set()

    def dispatch(account: str, region: str, arn: str, event: Any) -> None:
        # Permissions are the function's, whatever version or alias is called.
        base, _, _ = lambdas._get_func_record_for_ref_in_scope(
            ":".join(arn.split(":")[:7]), account_id=account, region=region
        )
        function, config, _ = lambdas._get_func_record_for_ref_in_scope(
            arn, account_id=account, region=region
        )
        allowed = base is not None and any(
            _allows(evaluator, base.get("policy"), arn, account, region, rule)
            for rule in _callers(iot, arn)
        )
        if not function or not config or not allowed:
            if arn not in refused:
                refused.add(arn)
                why = "lets no such rule (lambda add-permission)" if function else "does not exist"
                _say(f"a rule calls {arn}, which {why}")
            return
        refused.discard(arn)
        messages.put(lambdas._execution_record_for_config(function, config), event)

    iot._dispatch_rule_to_lambda = dispatch


def _callers(iot: Any, arn: str) -> Iterator[str]:
    """Names of the rules with an action that calls a function."""
    for (_, _, name), rule in iot._topic_rules.all_items():
        actions = [*(rule.get("actions") or ()), rule.get("errorAction") or {}]
        if any((action.get("lambda") or {}).get("functionArn") == arn for action in actions):
            yield str(name)


def _allows(
    evaluator: Any, policy: Any, function: str, account: str, region: str, rule: str
) -> bool:
    context: Mapping[str, str] = {
        "aws:sourcearn": f"arn:aws:iot:{region}:{account}:rule/{rule}",
        "aws:sourceaccount": account,
    }
    asked = evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function,
        region=region,
        service_context=context,
    )
    answer = evaluator.evaluate_resource_policy(policy, asked, service="iot.amazonaws.com")
    return bool(answer.decision == "Allow")


def _say(what: str) -> None:
    print(f"gustbed-emulator: {what}", file=sys.stderr, flush=True)
