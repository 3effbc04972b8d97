"""A real Mosquitto on a free port, configured as the product configures it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gustbed_broker.configure import BrokerFiles, configure
from gustbed_core.settings import MqttSettings, SiteSettings
from tests.support.ports import free_port, listens, wait_until


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    settings: MqttSettings
    site: SiteSettings
    process: subprocess.Popen[bytes]


@contextmanager
def mosquitto(
    folder: Path,
    *,
    anonymous: bool = False,
    turbines: int = 6,
    port: int | None = None,
    shared_twin: bool = False,
) -> Iterator[Broker]:
    """Run a site broker until the block ends."""
    site = SiteSettings(turbines=turbines)
    port = port or free_port()
    credentials = folder / "credentials"
    config = configure(
        BrokerFiles(folder / "broker", credentials, "127.0.0.1", port, anonymous, shared_twin), site
    )
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port), f"mosquitto listens on {port}")
        settings = MqttSettings(port=port, credentials_dir=None if anonymous else credentials)
        yield Broker(settings, site, process)
    finally:
        process.terminate()
        process.wait(30)
