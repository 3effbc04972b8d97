"""Cut the sessions of certificates that are not active any more.

AWS IoT does so within a few minutes of UpdateCertificate; MiniStack looks at a certificate when a
device connects, and never again.
"""

import asyncio
import contextlib
from typing import Any

LOOK_EVERY = 1.0
"""Seconds between two looks."""
NOT_AUTHORIZED = 0x87
"""MQTT 5's reason code for a DISCONNECT."""
_MQTT_5 = 5


def revoked(iot: Any) -> list[Any]:
    """Sessions whose client certificate is active nowhere."""
    return [
        session
        for session in list(iot._connected_clients.values())
        if session.certificate_id is not None
        and not iot._mtls_active_registrations(session.certificate_id)
    ]


async def cut_forever(iot: Any) -> None:
    """Look again and again, and end what must not go on."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        for session in revoked(iot):
            # The device may be gone already: its handler then ends by itself.
            with contextlib.suppress(Exception):
                if session.protocol_version == _MQTT_5:
                    await session.send_bytes(iot._make_disconnect(NOT_AUTHORIZED))
            with contextlib.suppress(Exception):
                await session._send({"type": "websocket.close", "code": 1000})
