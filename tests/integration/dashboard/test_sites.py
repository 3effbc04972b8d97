"""A directory's sites on real brokers that speak TLS and ask for passwords."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gustbed_core import topics
from gustbed_core.commands import Command
from gustbed_core.mqtt import Session
from gustbed_core.site_directory import SiteEntry, write_site
from gustbed_dashboard.site.clients import SiteClients, client_of
from tests.support.mosquitto import Broker, mosquitto
from tests.support.ports import free_port, wait_until

NAMES = ("site-1", "site-2")


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Broker]]:
    """The second site's CA and passwords are not the first one's."""
    with ExitStack() as running, pytest.MonkeyPatch.context() as environment:
        found = {}
        for name in NAMES:
            environment.setenv("GUSTBED_SITE", name)
            folder = tmp_path_factory.mktemp(name)
            found[name] = running.enter_context(mosquitto(folder, tls=True))
        yield found


def join(directory: Path, site: str, broker: Broker, password: str) -> None:
    entry = SiteEntry(
        site=site,
        turbines=6,
        host="127.0.0.1",
        tools_port=broker.settings.port_of("operator"),
        edge_url=f"http://127.0.0.1:{free_port()}",
    )
    assert broker.settings.ca is not None
    write_site(directory, entry, password, broker.settings.ca.read_bytes())


def test_each_site_is_heard_with_its_own_ca_and_password(
    brokers: dict[str, Broker], tmp_path: Path
) -> None:
    passwords = {name: broker.settings.password("operator") for name, broker in brokers.items()}
    first, second = passwords["site-1"], passwords["site-2"]
    assert first is not None
    assert second is not None
    clients = SiteClients(tmp_path, client_of)
    clients.start()
    try:
        join(tmp_path, "site-1", brokers["site-1"], first)
        join(tmp_path, "site-2", brokers["site-2"], "not the password")
        wait_until(lambda: list(clients.sites().clients) == list(NAMES), "both are known")

        def broker_of(site: str) -> str | None:
            return clients.sites().clients[site].snapshot().broker

        wait_until(lambda: broker_of("site-1") is None, "the first is served")
        wait_until(lambda: "refused" in (broker_of("site-2") or ""), "the second's refusal is told")
        kept = clients.sites().clients["site-1"]
        join(tmp_path, "site-2", brokers["site-2"], second)
        wait_until(lambda: broker_of("site-2") is None, "the second is served, too")
        assert clients.sites().clients["site-1"] is kept

        heard: list[str] = []
        subscriptions = {topics.command("site-2", "wt01"): lambda topic, _: heard.append(topic)}
        settings = brokers["site-2"].settings
        with Session(settings, user="wt01", subscriptions=subscriptions) as turbine:
            turbine.wait_connected(30)
            clients.sites().clients["site-2"].send("wt01", Command("clear"))
            wait_until(lambda: heard, "the command is heard")
        assert heard == [topics.command("site-2", "wt01")]
    finally:
        clients.stop(10)
    assert not any(client.alive for client in clients.sites().clients.values())
