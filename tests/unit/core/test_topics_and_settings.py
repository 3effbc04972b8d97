"""Topics are built and split in one place; settings name what is wrong."""

from pathlib import Path

import pytest

from gustbed_core import topics
from gustbed_core.errors import GustbedError
from gustbed_core.settings import MqttSettings, SiteSettings, load


def test_a_topic_that_was_built_can_be_split() -> None:
    assert topics.parse(topics.telemetry("north", "wt07")) == ("north", "wt07", "telemetry")
    assert topics.parse(topics.command_ack("north", "wt07")).kind == "command/ack"


@pytest.mark.parametrize("bad", ["", "gustbed/a", "other/a/b/telemetry", "gustbed/a/b"])
def test_other_topics_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        topics.parse(bad)


@pytest.mark.parametrize("bad", ["", "a/b", "#", "+", "x" * 65, "ümlaut", "a\n"])
def test_a_name_that_would_bend_a_topic_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="name"):
        topics.level(bad)


def test_an_unknown_uplink_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="telemetry"):
        topics.uplink("thing", "gossip")


@pytest.mark.parametrize(
    ("variable", "value"), [("GUSTBED_TURBINES", "six"), ("GUSTBED_SITE", "a/b")]
)
def test_a_wrong_setting_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(GustbedError) as caught:
        load(SiteSettings)
    assert caught.value.what == variable
    assert value in caught.value.remedy


def test_turbines_and_thing_follow_from_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUSTBED_SITE", "north")
    monkeypatch.setenv("GUSTBED_TURBINES", "3")
    site = load(SiteSettings)
    assert site.turbine_ids == ("wt01", "wt02", "wt03")
    assert site.thing == "gustbed-north"


def test_a_missing_password_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(GustbedError, match=r"edge\.password"):
        MqttSettings(credentials_dir=tmp_path).password("edge")


def test_tools_have_a_port_of_their_own_and_a_ca_means_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GUSTBED_MQTT_CREDENTIALS_DIR", str(tmp_path))
    plain = load(MqttSettings)
    assert [plain.port_of(user) for user in ("wt01", "edge", "twin", "operator")] == [
        *(1883, 1883),
        *(1884, 1884),
    ]
    monkeypatch.setenv("GUSTBED_MQTT_CA", str(tmp_path / "site-ca.pem"))
    assert load(MqttSettings).port_of("operator") == 8885
    monkeypatch.setenv("GUSTBED_MQTT_PORT", "2000")
    assert load(MqttSettings).port_of("edge") == 2000
    monkeypatch.setenv("GUSTBED_MQTT_TOOLS_PORT", "3000")
    assert load(MqttSettings).port_of("operator") == 3000


def test_an_anonymous_broker_has_one_port_for_all() -> None:
    assert MqttSettings(port=2000).port_of("operator") == 2000
