"""A real Mosquitto on two free ports, configured as the product configures it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gustbed_broker.configure import BrokerFiles, configure
from gustbed_core.settings import MqttSettings, SiteSettings
from gustbed_core.site_directory import CA
from tests.support.ports import free_port, listens, wait_until


@dataclass(frozen=True)
class Broker:
    """A running broker. ``files`` is what it was configured by."""

    settings: MqttSettings
    site: SiteSettings
    process: subprocess.Popen[bytes]
    files: BrokerFiles


@contextmanager
def mosquitto(
    folder: Path,
    *,
    anonymous: bool = False,
    turbines: int = 6,
    port: int | None = None,
    **changes: Any,
) -> Iterator[Broker]:
    """Run a site broker until the block ends; ``changes`` are of ``BrokerFiles``."""
    site = SiteSettings(turbines=turbines)
    files = BrokerFiles(
        folder / "broker",
        folder / "credentials",
        "127.0.0.1",
        port or free_port(),
        anonymous,
        **changes,
    )
    config = configure(files, site)
    with serving(config, folder / "mosquitto.log", files.machines_port) as process:
        settings = MqttSettings(
            port=files.machines_port,
            credentials_dir=None if anonymous else files.credentials,
            ca=files.credentials / CA if files.speaks_tls else None,
        )
        yield Broker(settings, site, process, files)


@contextmanager
def serving(config: Path, log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Mosquitto with a configuration until the block ends."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with log.open("ab") as output:
        process = subprocess.Popen([program, "-c", str(config)], stdout=output, stderr=output)
    try:
        wait_until(
            lambda: listens(port) or process.poll() is not None, f"mosquitto listens on {port}"
        )
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        process.wait(30)
