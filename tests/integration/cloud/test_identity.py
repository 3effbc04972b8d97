"""Enrolment, and what a certificate does and does not let a device do."""

import shutil
import socket
import ssl

import pytest
from awscrt.exceptions import AwsCrtError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from gustbed_core.enrolment import request_path
from tests.support.cloud import Device, Identity, LocalCloud, ask_to_enrol, enrolled
from tests.support.ports import wait_until

JOBS = "$aws/things/{}/jobs/notify-next"
SHADOW = "$aws/things/{}/shadow/name/{}"


@pytest.fixture(scope="module")
def first(cloud: LocalCloud) -> Identity:
    return enrolled(cloud, "gustbed-site-1")


@pytest.fixture(scope="module")
def second(cloud: LocalCloud) -> Identity:
    return enrolled(cloud, "gustbed-site-2")


def test_enrolled_edge_connects_and_subscribes_to_its_jobs(first: Identity) -> None:
    with Device(first) as device:
        answer = device.subscribe(JOBS.format(first.thing))
    assert int(answer["qos"]) == 1


@pytest.mark.promise("S1")
def test_private_key_never_leaves_the_edge(cloud: LocalCloud, first: Identity) -> None:
    secret = first.key.read_bytes().splitlines()[1]
    for place in (cloud.enrol_dir, cloud.folder / "emulator"):
        for path in place.rglob("*"):
            assert not path.is_file() or secret not in path.read_bytes(), path


def _say_connect(cloud: LocalCloud, context: ssl.SSLContext) -> bytes:
    """Open TLS, say MQTT CONNECT, return the first bytes of an answer."""
    with (
        socket.create_connection(("127.0.0.1", cloud.mtls_port), 5) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")
        answer = secure.recv(4)
        if not answer:
            raise ConnectionError("closed")
        return answer


@pytest.mark.promise("S1")
def test_client_without_certificate_is_refused(cloud: LocalCloud, first: Identity) -> None:
    context = ssl.create_default_context(cafile=first.folder / "ca.pem")
    # TLS 1.3 tells a client of its refusal with the first bytes after the handshake.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _say_connect(cloud, context)


@pytest.mark.promise("S1")
def test_client_with_foreign_certificate_is_refused(
    cloud: LocalCloud, first: Identity, second: Identity
) -> None:
    stranger = ask_to_enrol(cloud, "stranger")
    request = x509.load_pem_x509_csr(stranger.request.read_bytes())
    own = x509.load_pem_x509_certificate((first.folder / "certificate.pem").read_bytes())
    key = load_pem_private_key(stranger.key.read_bytes(), None)
    forged = x509.CertificateBuilder(
        issuer_name=own.issuer,
        subject_name=own.subject,
        public_key=request.public_key(),
        serial_number=own.serial_number,
        not_valid_before=own.not_valid_before_utc,
        not_valid_after=own.not_valid_after_utc,
    ).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    stranger.folder.mkdir(parents=True)
    (stranger.folder / "certificate.pem").write_bytes(forged.public_bytes(Encoding.PEM))
    for name in ("endpoint.json", "ca.pem"):
        (stranger.folder / name).write_bytes((first.folder / name).read_bytes())
    with pytest.raises(AwsCrtError), Device(stranger, first.thing):
        pass
    shutil.rmtree(stranger.folder)
    stranger.request.unlink()


@pytest.mark.promise("S1")
def test_thing_cannot_connect_as_another_thing(first: Identity, second: Identity) -> None:
    with pytest.raises(AwsCrtError), Device(first, second.thing):
        pass


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    "topic",
    [
        "device/gustbed-site-2/events",
        "device/gustbed-site-1/other",
        "gustbed/site-1/x",
        SHADOW.format("gustbed-site-2", "wt01/update"),
        SHADOW.format("gustbed-site-1", "wt01/delete"),
        "$aws/things/gustbed-site-1/shadow/update",
    ],
)
def test_thing_cannot_publish_beyond_its_own_topics(
    first: Identity, second: Identity, topic: str
) -> None:
    with Device(first) as device, pytest.raises(AwsCrtError):
        device.publish(topic, {"events": []})


def test_enrolled_edge_hears_what_becomes_of_its_shadows(first: Identity) -> None:
    with Device(first) as device:
        device.subscribe(SHADOW.format(first.thing, "+/update/accepted"))
        device.publish(SHADOW.format(first.thing, "wt01/update"), {"state": {"reported": {"a": 1}}})
        topic, _ = device.received.get(timeout=30)
    assert topic == SHADOW.format(first.thing, "wt01/update/accepted")


@pytest.mark.promise("S1")
@pytest.mark.parametrize(
    "topic",
    [
        JOBS.format("gustbed-site-2"),
        "#",
        "device/#",
        "$aws/#",
        SHADOW.format("gustbed-site-2", "+/update/delta"),
        SHADOW.format("+", "+/update/delta"),
        SHADOW.format("gustbed-site-1", "+/get/accepted"),
    ],
)
def test_thing_cannot_subscribe_beyond_its_own_jobs_and_shadows(
    first: Identity, second: Identity, topic: str
) -> None:
    with Device(first) as device, pytest.raises(AwsCrtError):
        device.subscribe(topic)


@pytest.mark.promise("S1")
def test_certificate_without_its_thing_may_not_connect(cloud: LocalCloud) -> None:
    identity = enrolled(cloud, "gustbed-loose")
    iot = cloud.connect().client("iot")
    arn = iot.list_thing_principals(thingName=identity.thing)["principals"][0]
    iot.detach_thing_principal(thingName=identity.thing, principal=arn)
    with pytest.raises(AwsCrtError), Device(identity):
        pass


def test_enrolling_again_keeps_a_valid_certificate(cloud: LocalCloud, first: Identity) -> None:
    before = (first.folder / "certificate.pem").read_bytes()
    done = cloud.run("enrol", first.thing)
    assert "enrolled already" in done.stdout
    assert (first.folder / "certificate.pem").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no request\n", b"x" * 100_000])
def test_malformed_request_is_refused_and_names_the_file(cloud: LocalCloud, content: bytes) -> None:
    path = request_path(cloud.enrol_dir, "gustbed-bad")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    done = cloud.run("enrol", "gustbed-bad")
    path.unlink()
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_joined_group_and_site_are_recorded(cloud: LocalCloud, first: Identity) -> None:
    connected = cloud.connect()
    iot = connected.client("iot")
    thing = iot.describe_thing(thingName=first.thing)
    said = {"site": "site-1", "role": "edge", "stack": connected.outputs.stack_name}
    assert {k: v for k, v in thing["attributes"].items() if k != "key"} == said
    assert thing["thingTypeName"] == connected.outputs.thing_type_name
    group = connected.outputs.thing_group_name
    wait_until(
        lambda: first.thing in iot.list_things_in_thing_group(thingGroupName=group)["things"],
        "the thing is in its group",
    )
