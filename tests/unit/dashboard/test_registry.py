"""What may be decided about a version, and the figures that help to decide."""

from dataclasses import replace

import pytest

from gustbed_cloud.operations import GateResult
from gustbed_core import topics
from gustbed_core.codec import encode
from gustbed_core.events import Comparison, Heartbeat, ModelRef
from gustbed_dashboard.cloud.client import Execution, Job, ModelVersion
from gustbed_dashboard.components import model_panels
from gustbed_dashboard.components.model_metrics import FIGURES, MAX_CARD, key_figures, safe_card
from gustbed_dashboard.site.snapshot import take
from gustbed_dashboard.site.state import SiteState
from gustbed_dashboard.views.registry import choices_of, role_here
from gustbed_training.evaluation.evaluate import Options, evaluate
from gustbed_training.evaluation.model_card import model_card
from gustbed_training.evaluation.report import as_metrics
from tests.support.packages import tiny_package
from tests.unit.dashboard.messages import SITE, TYPES, status
from tests.unit.training.judged import last_sample, part, schema, thermal

WAITING = ModelVersion("ae", "1.2.0", "PendingManualApproval", 1.0, None, "s3://x", "arn:1")
SHADOWED = replace(WAITING, status="Approved", role="shadow")
SERVING = replace(WAITING, status="Approved", role="serve")
REJECTED = replace(WAITING, status="Rejected")


@pytest.mark.parametrize(
    ("model", "newest", "offered"),
    [
        (WAITING, None, ["serve", "shadow", "reject"]),
        (WAITING, "1.1.0", ["serve", "shadow", "reject"]),
        (WAITING, "1.3.0", ["serve back", "shadow", "reject"]),
        (REJECTED, "1.1.0", ["serve", "shadow"]),
        (SHADOWED, "1.1.0", ["promote"]),
        (SHADOWED, "1.3.0", []),
        (SERVING, "1.2.0", []),
        (SERVING, None, []),
        (SERVING, "1.1.0", ["serve"]),
        (SERVING, "1.3.0", ["serve back"]),
    ],
)
def test_only_what_the_cloud_would_take_is_offered(
    model: ModelVersion, newest: str | None, offered: list[str]
) -> None:
    found = [
        decision.action + (" back" if decision.rollback else "")
        for _, decision in choices_of(model, newest)
    ]

    assert found == offered


def test_every_button_says_what_it_does() -> None:
    labels = [label for label, _ in choices_of(WAITING, None)]

    assert labels == ["Approve as serving", "Approve as shadow model", "Reject"]


def test_a_version_is_marked_by_what_the_edge_does_with_it() -> None:
    state = SiteState(SITE, ["wt01"], TYPES)
    beside = {"mini": Comparison(ModelRef("ae", "1.2.0"))}
    beat = Heartbeat(
        SITE, "t", 1.0, True, ModelRef("ae", "1.1.0"), [status()], shadow_models=beside
    )
    state.fold(topics.heartbeat(SITE), encode(beat), 1.0)
    site = take(state, 1.0, None)

    versions = ("1.0.0", "1.1.0", "1.2.0")
    assert [role_here(replace(WAITING, version=v), site) for v in versions] == [
        "",
        "serve",
        "shadow",
    ]
    assert role_here(replace(WAITING, version="1.1.0"), take(state, 99.0, None)) == ""


def test_a_version_that_did_not_pass_its_gate_says_so() -> None:
    gate = GateResult(passed=False, override="worse than pca")
    told = model_panels.version(replace(WAITING, gate=gate), "", None)

    assert "despite its quality gate: worse than pca" in told
    assert "quality gate" not in model_panels.version(WAITING, "", None)


def test_a_real_card_and_real_metrics_tell_the_same_figures() -> None:
    """Training writes both; were either to change its words, the page would lose figures."""
    result = evaluate(
        schema(),
        [part("....xxxx......", labels=[thermal(4, 8)]), part("." * 30)],
        last_sample,
        Options(aimed_false_per_day=0.5),
    )
    result = replace(result, microseconds_per_window=12.3)
    card = model_card(tiny_package().manifest, result, "Passed.")

    from_card = key_figures({}, card)
    from_metrics = key_figures(as_metrics(result), None)

    assert set(from_card) == set(from_metrics) == {figure.key for figure in FIGURES}
    for key, value in from_card.items():
        assert float(value) == pytest.approx(float(from_metrics[key]), abs=0.06), key


def test_what_nobody_tells_is_left_out() -> None:
    assert key_figures({"vus_pr": 0.87654, "other": 1.0}, "# Card\n\nNot tested.") == {
        "vus_pr": "0.877"
    }
    assert key_figures({"event_recall": 0.934}, None) == {"event_recall": "93.4"}
    assert key_figures({}, None) == {}


def test_a_card_is_bounded_and_fetches_nothing() -> None:
    assert safe_card("see ![x](http://far.away/y.png)") == "see [x](http://far.away/y.png)"
    assert len(safe_card("x" * (MAX_CARD * 2))) < MAX_CARD + 50


def execution(thing: str, status: str, reason: str = "") -> Execution:
    details = {"detail": "the seventh window differs by 0.2"} if reason else {}
    return Execution(thing, status, reason, None, None, None, details)


@pytest.mark.parametrize(
    ("status", "executions", "tone", "word"),
    [
        ("COMPLETED", [execution("a", "SUCCEEDED")], "ok", "Completed"),
        ("COMPLETED", [execution("a", "FAILED", "golden")], "alarm", "Failed"),
        ("COMPLETED", [execution("a", "SUCCEEDED"), execution("b", "FAILED", "golden"),
                       execution("c", "TIMED_OUT")], "alarm", "Failed on 2 of 3"),
        ("COMPLETED", [], "caution", "Reached no edge"),
        ("CANCELED", [], "alarm", "Canceled"),
        ("IN_PROGRESS", [execution("a", "QUEUED")], "caution", "In progress"),
        ("IN_PROGRESS", [execution("a", "REJECTED"), execution("b", "QUEUED")],
         "alarm", "Failed on 1 of 2"),
    ],
)  # fmt: skip
def test_a_rollout_that_failed_is_never_called_completed(
    status: str, executions: list[Execution], tone: str, word: str
) -> None:
    job = Job("j1", "windturbine", "1.1.0", status, 1.0, None, tuple(executions))

    told = model_panels.outcome(job)
    shown = model_panels.rollouts([job], 2.0)

    assert (told.tone, told.word) == (tone, word)
    assert word in shown
    assert ("Completed" in shown) is (tone == "ok")
    if any(e.reason for e in executions):
        assert "golden: the seventh window differs by 0.2" in shown
    if len(executions) == 3:
        assert told.why == "b: golden: the seventh window differs by 0.2 (and 1 more)"


def test_a_job_that_is_no_rollout_has_no_role_and_its_own_name() -> None:
    job = Job("their-job", "", "", "IN_PROGRESS", 1.0, None, (), role="shadow")

    shown = model_panels.rollouts([job], 2.0)

    assert "their-job</span>" in shown
    assert "shadow" not in shown
