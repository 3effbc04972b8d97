"""When the emulator keeps its state, and how devices' messages outlive it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from persistence import Message, MessageJournal, Snapshots
from trouble import Trouble

SAVE_EVERY = 1.0
"""Seconds between two snapshots of the state."""
SAVE_SHARE = 0.02
"""At most this share of the time goes into snapshots, however large the state has grown."""
DEVICE_TOPICS = "device/"

Route = Callable[[str, str, str, bytes, str | None], Coroutine[Any, Any, None]]


async def save_forever(
    app: Any,
    trim: Callable[[], None],
    snapshots: Snapshots,
    messages: MessageJournal,
    trouble: Trouble,
) -> None:
    """Take a snapshot every few seconds, of what ``trim`` leaves; go on where the disk is full."""
    pause = SAVE_EVERY
    while True:
        await asyncio.sleep(pause)
        started = time.monotonic()
        trim()
        messages.rotate()
        # On the loop, so that no request changes the state while it is being written. A worker
        # thread may: then the next attempt gets it.
        try:
            if snapshots.take(app._build_persistence_save_dict()):
                messages.forget()
                trouble.gone()
            elif trouble.reason:
                trouble.look()
        except RuntimeError:
            continue
        except OSError as error:
            trouble.has(error)
        pause = max(SAVE_EVERY, (time.monotonic() - started) / SAVE_SHARE)


def saver(snapshots: Snapshots, trouble: Trouble) -> Callable[[Any], bool]:
    """MiniStack's last act: a snapshot, unless the disk refuses it."""

    def save(services: Any) -> bool:
        try:
            return snapshots.take(services)
        except OSError as error:
            trouble.has(error)
            return False

    return save


def keep_messages(iot: Any, messages: MessageJournal, trouble: Trouble) -> Route:
    """Journal what devices publish before it is acknowledged. Returns the way to the rules."""
    route: Route = iot._evaluate_topic_rules

    async def keep_and_route(
        account: str, region: str, topic: str, payload: bytes, client: str | None = None
    ) -> None:
        if topic.startswith(DEVICE_TOPICS):
            try:
                messages.append(Message(account, region, topic, payload, client))
            except OSError as error:
                # Not acknowledged, for it would be lost with this process: it comes again.
                trouble.has(error)
                raise
        await route(account, region, topic, payload, client)

    iot._evaluate_topic_rules = keep_and_route
    return route


async def route_left(iot: Any, route: Route, messages: MessageJournal) -> None:
    """Route what a crash left, once there are rules: the stack may be lost too."""
    left = list(messages.messages())
    while left and not iot._topic_rules.all_items():
        await asyncio.sleep(SAVE_EVERY)
    for message in left:
        await route(message.account, message.region, message.topic, message.payload, message.client)
    messages.routed = True
