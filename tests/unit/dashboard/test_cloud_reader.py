"""The cloud may be slow, down or back again; pages never wait for it."""

import threading
from collections.abc import Callable
from typing import cast

from gustbed_core.errors import GustbedError
from gustbed_dashboard.cloud.client import CloudClient, Job, ModelVersion
from gustbed_dashboard.cloud.reader import CARDS_KEPT, CloudReader, Decision, ModelCard
from tests.support.ports import wait_until

MODEL = ModelVersion("ae", "1.1.0", "PendingManualApproval", 1.0, None, "s3://x", "arn:1")


class FakeCloud:
    """Answers what it is told to."""

    def __init__(self) -> None:
        self.problem: GustbedError | None = None
        self.decided: list[tuple[str, ...]] = []
        self.cards: dict[str, str | GustbedError] = {}
        self.read: list[str] = []

    def models(self) -> list[ModelVersion]:
        if self.problem is not None:
            raise self.problem
        return [MODEL]

    def jobs(self) -> list[Job]:
        return []

    def approve(self, model: ModelVersion, *, rollback: bool, shadow: bool) -> None:
        wishes = {"rollback": rollback, "shadow": shadow}
        self.decided.append((model.version, *(word for word, on in wishes.items() if on)))

    def promote(self, model: ModelVersion) -> None:
        self.decided.append((model.version, "promote"))

    def card(self, name: str, version: str) -> str:
        self.read.append(version)
        card = self.cards[version]
        if isinstance(card, GustbedError):
            raise card
        return card

    def reject(self, model: ModelVersion) -> None:
        raise GustbedError("registry: refused", "ask an approver")


def reader_of(connect: Callable[[], FakeCloud]) -> CloudReader:
    return CloudReader(cast(Callable[[], CloudClient], connect))


def test_the_last_answer_stays_while_the_cloud_is_down_and_returns_by_itself() -> None:
    cloud = FakeCloud()
    reader = reader_of(lambda: cloud)
    reader.refresh()
    assert [m.version for m in reader.watch().models] == ["1.1.0"]

    cloud.problem = GustbedError("AWS is not reachable", "start the emulator")
    reader.refresh()
    down = reader.watch()
    assert down.problem == "AWS is not reachable: start the emulator"
    assert [m.version for m in down.models] == ["1.1.0"]

    cloud.problem = None
    reader.refresh()
    assert reader.watch().problem is None


def test_a_cloud_that_was_never_there_is_looked_for_again() -> None:
    attempts: list[int] = []

    def connect() -> FakeCloud:
        attempts.append(1)
        if len(attempts) < 2:
            raise GustbedError("stack gustbed", "not deployed")
        return FakeCloud()

    reader = reader_of(connect)
    reader.refresh()
    assert reader.watch().problem is not None
    reader.refresh()
    assert reader.watch().problem is None


def test_decisions_are_sent_once_and_a_refusal_is_told() -> None:
    cloud = FakeCloud()
    reader = reader_of(lambda: cloud)
    reader.decide(Decision(MODEL, "serve", rollback=True))
    assert reader.watch().deciding == {"arn:1"}

    reader.refresh()
    reader.refresh()
    assert cloud.decided == [("1.1.0", "rollback")]
    assert reader.watch().deciding == frozenset()

    reader.decide(Decision(MODEL, "reject"))
    reader.refresh()
    assert reader.watch().refusal == "registry: refused: ask an approver"


def test_a_decision_that_finds_no_cloud_is_not_sent_later_by_surprise() -> None:
    def connect() -> FakeCloud:
        raise GustbedError("AWS is not reachable")

    reader = reader_of(connect)
    reader.decide(Decision(MODEL, "serve"))
    reader.refresh()

    assert reader.watch().refusal == "AWS is not reachable"
    assert reader.watch().deciding == frozenset()


def test_each_wish_reaches_the_cloud_as_what_it_is() -> None:
    cloud = FakeCloud()
    reader = reader_of(lambda: cloud)
    for decision in (
        Decision(MODEL, "serve"),
        Decision(MODEL, "shadow"),
        Decision(MODEL, "promote"),
    ):
        reader.decide(decision)
    reader.refresh()

    assert cloud.decided == [("1.1.0",), ("1.1.0", "shadow"), ("1.1.0", "promote")]


def test_a_card_is_read_once_and_stays_while_the_cloud_is_down() -> None:
    cloud = FakeCloud()
    cloud.cards["1.1.0"] = "# A card"
    reader = reader_of(lambda: cloud)
    assert reader.card("ae", "1.1.0") == ModelCard()
    reader.refresh()
    reader.refresh()
    assert reader.card("ae", "1.1.0") == ModelCard("# A card")
    assert cloud.read == ["1.1.0"]

    cloud.problem = GustbedError("AWS is not reachable")
    reader.refresh()
    assert reader.card("ae", "1.1.0").text == "# A card"


def test_a_card_that_cannot_be_read_says_why_and_is_tried_again() -> None:
    cloud = FakeCloud()
    cloud.cards["1.1.0"] = GustbedError("package: not readable", "register it anew")
    reader = reader_of(lambda: cloud)
    reader.card("ae", "1.1.0")
    reader.refresh()
    assert reader.card("ae", "1.1.0").problem == "package: not readable: register it anew"
    assert reader.watch().problem is None, "the rest of the page is not to suffer"

    cloud.cards["1.1.0"] = "# Now"
    reader.refresh()
    assert reader.card("ae", "1.1.0") == ModelCard("# Now")


def test_cards_kept_are_bounded() -> None:
    cloud = FakeCloud()
    reader = reader_of(lambda: cloud)
    for patch in range(CARDS_KEPT + 5):
        cloud.cards[f"1.0.{patch}"] = f"card {patch}"
        reader.card("ae", f"1.0.{patch}")
        reader.refresh()

    assert len(reader._cards) == CARDS_KEPT
    assert reader.card("ae", f"1.0.{CARDS_KEPT + 4}").text == f"card {CARDS_KEPT + 4}"


def test_watching_never_waits_for_a_cloud_that_hangs() -> None:
    asked, release = threading.Event(), threading.Event()

    class Hanging(FakeCloud):
        def models(self) -> list[ModelVersion]:
            asked.set()
            release.wait(20)
            return [MODEL]

    reader = reader_of(Hanging)
    reader.start()
    try:
        reader.watch()
        assert asked.wait(30)
        assert reader.watch().models == []
        release.set()
        wait_until(lambda: reader.watch().models, "the answer arrives")
    finally:
        release.set()
        reader.stop(3.0)


def test_nobody_watching_means_nothing_asked() -> None:
    connected: list[int] = []
    reader = reader_of(lambda: connected.append(1) or FakeCloud())  # type: ignore[func-returns-value]
    reader.start()
    reader.wake()
    try:
        wait_until(lambda: not reader._woken.is_set(), "the reader woke")
        assert connected == []
    finally:
        reader.stop(3.0)
