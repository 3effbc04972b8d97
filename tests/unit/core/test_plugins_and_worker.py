"""Plug-ins are found by entry points; a worker's failure does not end it."""

import threading
from importlib.metadata import EntryPoint

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.plugins import Registry
from gustbed_core.worker import Worker


def registry(*points: tuple[str, str]) -> Registry[object]:
    found = [EntryPoint(name, value, "gustbed.test") for name, value in points]
    return Registry("gustbed.test", lambda _group: found)


def test_a_plug_in_is_loaded_by_its_name() -> None:
    plugins = registry(("join", "os.path:join"), ("cut", "os.path:split"))
    assert plugins.names() == ("cut", "join")
    assert callable(plugins.load("join"))
    assert list(plugins.all()) == ["cut", "join"]


@pytest.mark.parametrize(
    ("points", "name", "says"),
    [
        ((("join", "os.path:join"),), "sew", "installed: join"),
        ((), "sew", "installed: none"),
        ((("join", "no.such.module:x"),), "join", "no.such.module"),
        ((("join", "os.path:no_such_name"),), "join", "no_such_name"),
        ((("join", "os.path:join"), ("join", "os.path:split")), "join", "comes from"),
    ],
)
def test_a_plug_in_that_cannot_be_had_is_named(
    points: tuple[tuple[str, str], ...], name: str, says: str
) -> None:
    with pytest.raises(GustbedError, match=says):
        registry(*points).load(name)


class Counting(Worker):
    """Fails in its first turn."""

    retry_seconds = 0.0

    def __init__(self) -> None:
        super().__init__("counting")
        self.turns = 0
        self.ended = False
        self.turned = threading.Event()

    def turn(self) -> float | None:
        self.turns += 1
        if self.turns == 1:
            raise RuntimeError("the first turn")
        self.turned.set()
        return None

    def finish(self) -> None:
        self.ended = True


def test_a_turn_that_fails_is_tried_again_and_the_rest_waits_to_be_woken() -> None:
    worker = Counting()
    worker.start()
    assert worker.turned.wait(30)
    worker.turned.clear()
    worker.wake()
    assert worker.turned.wait(30)
    assert worker.alive
    worker.stop(30)
    assert (worker.alive, worker.stopping, worker.ended) == (False, True, True)
    assert worker.turns == 3
