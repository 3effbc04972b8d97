"""The cloud, read in the background so that no page ever waits for it."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gustbed_core.errors import GustbedError
from gustbed_core.worker import Worker
from gustbed_dashboard.cloud.client import CloudClient, Job, ModelVersion

REFRESH_SECONDS = 4.0
WATCHED_SECONDS = 15.0
"""The cloud is read only while somebody looks at a page that shows it."""
CARDS_KEPT = 64


Action = Literal["serve", "shadow", "promote", "reject"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decided about a version. ``rollback`` goes with ``serve``."""

    model: ModelVersion
    action: Action
    rollback: bool = False


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model card as far as it is known: both None while it is being read."""

    text: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CloudView:
    """The last answer, at ``asked`` (Unix seconds), None before the first.

    ``problem`` says why there is no newer one, ``refusal`` why the last decision failed;
    ``deciding`` holds the ARNs of versions whose decision is under way.
    """

    models: list[ModelVersion]
    jobs: list[Job]
    asked: float | None
    problem: str | None
    refusal: str | None
    deciding: frozenset[str]


class CloudReader(Worker):
    """Reads the cloud in a thread of its own while somebody watches.

    ``connect`` makes the client at the first need and again after a failure, so that a dashboard
    without a cloud starts, and one whose cloud returns recovers.
    """

    def __init__(self, connect: Callable[[], CloudClient]) -> None:
        super().__init__("gustbed-cloud-reader")
        self._connect = connect
        self._cloud: CloudClient | None = None
        self._lock = threading.Lock()
        self._models: list[ModelVersion] = []
        self._jobs: list[Job] = []
        self._asked: float | None = None
        self._problem: str | None = None
        self._refusal: str | None = None
        self._decisions: deque[Decision] = deque()
        self._cards: OrderedDict[tuple[str, str], ModelCard] = OrderedDict()
        self._wanted_cards: set[tuple[str, str]] = set()
        self._watched = float("-inf")

    def turn(self) -> float:
        """Ask, if someone watches or has decided something."""
        if self._decisions or time.monotonic() - self._watched < WATCHED_SECONDS:
            self.refresh()
        return REFRESH_SECONDS

    def watch(self) -> CloudView:
        """The last answer, and a wish for a newer one. Never blocks on the cloud."""
        with self._lock:
            before, self._watched = self._watched, time.monotonic()
            if self._watched - before > WATCHED_SECONDS:
                self.wake()
            return CloudView(
                self._models,
                self._jobs,
                self._asked,
                self._problem,
                self._refusal,
                frozenset(decision.model.arn for decision in self._decisions),
            )

    def card(self, name: str, version: str) -> ModelCard:
        """A version's card, as far as it was read; asking makes it be read. Never blocks.

        A card never changes; one that could not be read is asked for again.
        """
        key = (name, version)
        with self._lock:
            known = self._cards.get(key, ModelCard())
            if known.text is None:
                if known.problem is None and key not in self._wanted_cards:
                    self.wake()
                self._wanted_cards.add(key)
            else:
                self._cards.move_to_end(key)
        return known

    def decide(self, decision: Decision) -> None:
        """Send a decision in the background; the next views tell how it went."""
        with self._lock:
            self._refusal = None
            self._decisions.append(decision)
        self.wake()

    def refresh(self) -> None:
        """Send waiting decisions, then read everything. Blocks; pages never call it."""
        try:
            cloud = self._cloud = self._cloud or self._connect()
            self._send_decisions(cloud)
            models, jobs = cloud.models(), cloud.jobs()
        except GustbedError as error:
            # Endpoints and names may have changed while it was away: find the cloud anew.
            self._cloud = None
            with self._lock:
                self._problem = str(error)
                if self._decisions:
                    self._refusal = str(error)
                    self._decisions.clear()
            return
        with self._lock:
            self._models, self._jobs = models, jobs
            self._asked, self._problem = time.time(), None
        self._read_cards(cloud)

    def _read_cards(self, cloud: CloudClient) -> None:
        with self._lock:
            wanted = list(self._wanted_cards)[:CARDS_KEPT]
            self._wanted_cards.clear()
        for name, version in wanted:
            try:
                card = ModelCard(cloud.card(name, version))
            except GustbedError as error:
                card = ModelCard(problem=str(error))
            with self._lock:
                self._cards[name, version] = card
                if len(self._cards) > CARDS_KEPT:
                    self._cards.popitem(last=False)

    def _send_decisions(self, cloud: CloudClient) -> None:
        while self._decisions:
            decision = self._decisions[0]
            try:
                _send(cloud, decision)
            except GustbedError as error:
                with self._lock:
                    self._refusal = str(error)
            self._decisions.popleft()


def _send(cloud: CloudClient, decision: Decision) -> None:
    if decision.action == "reject":
        cloud.reject(decision.model)
    elif decision.action == "promote":
        cloud.promote(decision.model)
    else:
        shadow = decision.action == "shadow"
        cloud.approve(decision.model, rollback=decision.rollback, shadow=shadow)
