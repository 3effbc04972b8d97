"""Turbines of several types on one site, their models and their shadow models."""

import numpy as np
import pytest

from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.events import Comparison, Heartbeat, ModelRef
from gustbed_dashboard.site.snapshot import take
from gustbed_dashboard.site.state import SiteState
from tests.unit.dashboard.messages import (
    CHANNELS_OF_OTHERS,
    KNOWN,
    MINI,
    MODEL,
    OTHER,
    SITE,
    TYPES,
    block,
    event,
    status,
    typed_block,
    typed_verdict,
    verdict,
)

NOW = 100.2
BIG = ModelRef("nrel-5mw", "2.0.0")


@pytest.fixture
def state() -> SiteState:
    return SiteState(SITE, ["wt01", "wt02"], TYPES)


def test_a_site_of_two_types_shows_each_turbine_as_what_it_is(state: SiteState) -> None:
    state.fold(topics.telemetry(SITE, "wt01"), encode(block()), NOW)
    state.fold(topics.telemetry(SITE, "wt02"), encode(typed_block("wt02")), NOW)
    statuses = [status("wt01"), status("wt02", kind=OTHER)]
    models = {MINI: MODEL, OTHER: BIG}
    beat = Heartbeat(SITE, "gustbed-site-1", 100.0, True, MODEL, statuses, models=models)
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    site = take(state, NOW, None)

    assert [(card.id, card.type.name) for card in site.turbines] == [
        ("wt01", MINI),
        ("wt02", OTHER),
    ]
    assert site.turbines[1].readings[0].value == pytest.approx(2.0)
    assert site.models == models
    assert [each.name for each in site.types] == [MINI, OTHER]
    assert state.ignored == {}


def test_the_edge_names_the_type_of_a_turbine_that_has_sent_nothing(state: SiteState) -> None:
    beat = Heartbeat(SITE, "t", 100.0, True, None, [status("wt01", kind=OTHER)])
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    assert take(state, NOW, None).turbines[0].type.name == OTHER


@pytest.mark.parametrize("kind", [MINI, OTHER])
def test_an_edge_that_names_one_model_serves_the_one_type_it_has(
    state: SiteState, kind: str
) -> None:
    beat = Heartbeat(SITE, "t", 100.0, True, BIG, [status("wt01", kind=kind)])
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    assert take(state, NOW, None).models == {kind: BIG}


def test_a_turbine_whose_type_nobody_judges_says_so(state: SiteState) -> None:
    state.fold(topics.telemetry(SITE, "wt01"), encode(typed_block()), NOW)
    unknown = [status("wt01", "unknown", kind=OTHER)]
    beat = Heartbeat(SITE, "t", 100.0, True, MODEL, unknown, models={MINI: MODEL})
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)
    assert take(state, NOW, None).turbines[0].note == "no model serves this type"

    beat = Heartbeat(SITE, "t", 100.1, True, MODEL, unknown, models={OTHER: BIG})
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)
    assert take(state, NOW, None).turbines[0].note == "the model gives no verdict"


def test_signals_have_the_names_that_came(state: SiteState) -> None:
    state.fold(topics.telemetry(SITE, "wt01"), encode(typed_block()), NOW)
    buffers = state.turbines["wt01"]

    assert buffers.turbine_type is KNOWN[OTHER]
    assert buffers.signals.names == CHANNELS_OF_OTHERS

    state.fold(topics.telemetry(SITE, "wt01"), encode(block(seq=1)), NOW)
    assert buffers.turbine_type is KNOWN[MINI]
    assert "voltage" in buffers.signals.names


def test_scores_have_the_features_of_the_model_that_spoke(state: SiteState) -> None:
    def say(t: float, ratios: dict[str, float], model: ModelRef = MODEL) -> None:
        message = encode(typed_verdict(t, ratios, model))
        state.fold(topics.verdict(SITE, "wt01"), message, NOW)

    buffers = state.turbines["wt01"]
    say(99.0, {})
    say(99.2, {"hot": 0.5, "amps": 0.2})
    say(99.4, {"amps": 0.3})
    scores = buffers.scores(0, NOW)
    assert scores.largest.tolist() == pytest.approx([np.nan, 0.5, 0.3], nan_ok=True)
    assert scores.ratios["hot"].tolist() == pytest.approx([np.nan, 0.5, np.nan], nan_ok=True)

    say(99.6, {"amps": 0.4}, BIG)
    scores = buffers.scores(0, NOW)
    assert list(scores.ratios) == ["amps"], "the next model does not look at it"
    assert scores.ratios["amps"].tolist() == pytest.approx([np.nan, 0.2, 0.3, 0.4], nan_ok=True)
    assert len(scores.largest) == 4


def test_scores_of_a_shadow_model_are_kept_beside_and_start_anew_with_the_next(
    state: SiteState,
) -> None:
    topic = topics.shadow_verdict(SITE, "wt01")
    state.fold(topics.verdict(SITE, "wt01"), encode(verdict(t=99.0)), NOW)
    state.fold(topic, encode(typed_verdict(99.0, {"roll": 0.9}, BIG)), NOW)
    buffers = state.turbines["wt01"]
    assert buffers.shadow_scores(0, NOW).largest.tolist() == pytest.approx([0.9])
    assert buffers.scores(0, NOW).largest.tolist() == pytest.approx([0.4])

    other = ModelRef("nrel-5mw", "2.1.0")
    state.fold(topic, encode(typed_verdict(99.5, {"roll": 0.1}, other)), NOW)
    assert buffers.shadow_scores(0, NOW).largest.tolist() == pytest.approx([0.1])
    assert buffers.verdict is not None
    assert buffers.verdict.model == MODEL


def test_a_shadow_verdict_on_the_wrong_topic_is_counted(state: SiteState) -> None:
    state.fold(topics.shadow_verdict(SITE, "wt02"), encode(verdict("wt01")), NOW)

    assert state.ignored == {"wrong_turbine": 1}


def test_shadow_models_come_from_the_heartbeat(state: SiteState) -> None:
    beside = {OTHER: Comparison(BIG, 10, 1, 7, 1, 1)}
    beat = Heartbeat(SITE, "t", 100.0, True, MODEL, [status()], shadow_models=beside)
    state.fold(topics.heartbeat(SITE), encode(beat), NOW)

    assert take(state, NOW, None).shadow_models == beside


def test_a_card_names_what_carries_its_open_events_and_no_closed_ones(state: SiteState) -> None:
    state.fold(topics.event(SITE, "wt01"), encode(event("a", signals=("hot", "amps"))), NOW)
    state.fold(topics.event(SITE, "wt01"), encode(event("b", signals=("amps", "rpm"))), NOW)
    state.fold(topics.event(SITE, "wt01"), encode(event("c", closed=99.0, signals=("gone",))), NOW)

    first, second = take(state, NOW, None).turbines

    assert first.carried_by == ["hot", "amps", "rpm"]
    assert second.carried_by == []
