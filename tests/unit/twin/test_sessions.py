"""How turbines connect."""

import pytest

from gustbed_core.codec import Encoding
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings
from gustbed_twin.publisher.sessions import MOST_SESSIONS, Fleet, Publisher


def publisher(turbines: int, *, shared: bool = False) -> Publisher:
    names = tuple(f"wt{number}" for number in range(1, turbines + 1))
    return Publisher(
        MqttSettings(),
        Fleet("site-1", names, shared),
        encoding=Encoding.JSON,
        on_message=lambda *_: None,
        legacy=False,
    )


def test_more_sessions_than_a_process_has_room_for_are_refused_by_name() -> None:
    with pytest.raises(GustbedError, match="GUSTBED_TWIN_CONNECTION=each: 1000 turbines") as said:
        publisher(1000)
    assert "shared" in str(said.value)
    assert "GUSTBED_TWIN_SHARD" in str(said.value)
    assert publisher(1000, shared=True).connected == 0
    assert publisher(MOST_SESSIONS).connected == 0
