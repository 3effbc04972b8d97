"""Every MQTT topic of Gustbed. Nobody else spells one out.

Site topics live on the site's own broker, ``device/…`` topics on AWS IoT Core.
Jobs use the topics of AWS IoT Jobs through the AWS IoT Device SDK.
"""

import re
from typing import NamedTuple

ROOT = "gustbed"
LEGACY_RAW = "turbine/raw"
"""The reference systems' record: 20 comma-separated fields, one turbine per broker."""

_LEVEL = re.compile(r"[A-Za-z0-9_-]{1,64}")


def level(name: str) -> str:
    """Return ``name`` if it can be one topic level, else raise ``ValueError``."""
    if not _LEVEL.fullmatch(name):
        raise ValueError(f"{name!r} is not a name: use 1 to 64 letters, digits, '-' or '_'")
    return name


class TurbineTopic(NamedTuple):
    """A site topic that belongs to one turbine."""

    site: str
    turbine: str
    kind: str


def telemetry(site: str, turbine: str) -> str:
    """Blocks of samples, from the turbine."""
    return f"{ROOT}/{site}/{turbine}/telemetry"


def command(site: str, turbine: str) -> str:
    """Commands to the turbine."""
    return f"{ROOT}/{site}/{turbine}/command"


def command_ack(site: str, turbine: str) -> str:
    """The turbine's answers, by command id."""
    return f"{ROOT}/{site}/{turbine}/command/ack"


def verdict(site: str, turbine: str) -> str:
    """The edge's verdict on each block."""
    return f"{ROOT}/{site}/{turbine}/verdict"


def shadow_verdict(site: str, turbine: str) -> str:
    """The verdicts of a model that runs in shadow beside the serving one."""
    return f"{ROOT}/{site}/{turbine}/shadow-verdict"


def event(site: str, turbine: str) -> str:
    """Anomaly events opened, updated and closed by the edge."""
    return f"{ROOT}/{site}/{turbine}/event"


def mirror(site: str, turbine: str) -> str:
    """How far the turbine is from the twin that runs beside it, minute by minute."""
    return f"{ROOT}/{site}/{turbine}/mirror"


def mirror_event(site: str, turbine: str) -> str:
    """Anomaly events that a twin beside the turbine opens and closes, in the form of ``event``."""
    return f"{mirror(site, turbine)}/event"


def desired(site: str, turbine: str) -> str:
    """What the operator wants of the turbine, retained."""
    return f"{ROOT}/{site}/{turbine}/desired"


def reported(site: str, turbine: str) -> str:
    """What the turbine does, retained, published when it changes."""
    return f"{ROOT}/{site}/{turbine}/reported"


def truth(site: str, turbine: str) -> str:
    """What is really wrong with a simulated turbine, retained; off unless the twin is told to."""
    return f"{ROOT}/{site}/{turbine}/truth"


def state(site: str, service: str) -> str:
    """Retained birth and last will of a service: ``twin`` or ``edge``."""
    return f"{ROOT}/{site}/{service}/state"


def heartbeat(site: str) -> str:
    """The edge's retained summary of itself and of every turbine, once a second."""
    return f"{ROOT}/{site}/edge/heartbeat"


def commission(site: str) -> str:
    """Commissioning of turbines, asked of the edge."""
    return f"{ROOT}/{site}/edge/commission"


def commission_ack(site: str) -> str:
    """The edge's answers, by command id."""
    return f"{ROOT}/{site}/edge/commission/ack"


def every(kind: str, site: str = "+") -> str:
    """Subscription filter for one kind of turbine topic."""
    return f"{ROOT}/{site}/+/{kind}"


def parse(topic: str) -> TurbineTopic:
    """Split a site topic. Raises ``ValueError`` if it is not one."""
    parts = topic.split("/", 3)
    if len(parts) != 4 or parts[0] != ROOT:
        raise ValueError(f"{topic!r} is not a {ROOT}/<site>/<turbine>/<kind> topic")
    return TurbineTopic(*parts[1:])


# Uplink, edge to IoT Core. The client id of a connection is its thing name.
UPLINK_KINDS = ("telemetry", "verdicts", "events", "logs", "capture")


def uplink(thing: str, kind: str) -> str:
    """``device/<thing>/<kind>``, with kind one of ``UPLINK_KINDS``."""
    if kind not in UPLINK_KINDS:
        raise ValueError(f"{kind!r} is not one of {', '.join(UPLINK_KINDS)}")
    return f"device/{thing}/{kind}"
