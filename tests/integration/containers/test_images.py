"""What is in the images: what is pinned, no tools, no secrets."""

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from typing import IO

import pytest
from packaging.utils import canonicalize_name

from tests.support.compose import docker, image_of
from tests.support.locks import pins

pytestmark = pytest.mark.docker

LOCKS = {
    image_of("edge"): "edge",
    image_of("twin"): "twin",
    image_of("init"): "broker",
    image_of("provisioner"): "cloud",
    image_of("dashboard"): "dashboard",
    image_of("emulator"): "emulator",
}
IMAGES = list(LOCKS)
PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")
AWS_KEY_ID = re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")
SECRET_NAME = re.compile(
    r"(\.password|/broker/passwd|private-key\.pem|/id_(rsa|ecdsa|ed25519)|\.p12|/\.env|/\.aws/.*"
    r"|run/secrets/.+)$"
)
LARGEST_SCANNED = 4 * 1024 * 1024
THIRD_PARTY = ("/opt/gustbed/libraries/", "/usr/lib/", "/usr/share/")
"""Libraries carry published keys for their own self-tests; our files must hold none."""
OURS = "/opt/gustbed/packages/gustbed_"

INSTALLERS = ("pip", "pip3", "apt", "apt-get", "dpkg", "perl", "gcc", "cc", "make", "git", "curl")
LARGEST_EDGE = 330_000_000
"""Bytes, as Docker counts them; a broker's and a twin's share come on top once per site."""
NOT_ON_THE_EDGE = ("torch", "boto3", "botocore", "streamlit", "pandas", "pip", "setuptools")


def secrets_in(layer: IO[bytes]) -> Iterator[str]:
    """Say which files of a layer are, or hold, a secret."""
    with tarfile.open(fileobj=layer) as files:
        for member in files:
            path = f"/{member.name}"
            if not member.isfile():
                continue
            if SECRET_NAME.search(path):
                yield f"{path}: by its name"
            third_party = OURS not in path and any(place in path for place in THIRD_PARTY)
            if third_party or member.size > LARGEST_SCANNED:
                continue
            handle = files.extractfile(member)
            content = handle.read() if handle else b""
            if PRIVATE_KEY.search(content):
                yield f"{path}: a private key"
            if AWS_KEY_ID.search(content):
                yield f"{path}: an AWS access key"


def layers_of(images: list[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Every layer of the images, once, as name and tar stream."""
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        with tarfile.open(fileobj=saving.stdout, mode="r|") as archive:
            for member in archive:
                is_layer = member.name.endswith("layer.tar") or member.name.startswith("blobs/")
                if not member.isfile() or not is_layer:
                    continue
                handle = archive.extractfile(member)
                content = handle.read() if handle else b""
                if content[257:262] == b"ustar":
                    yield member.name, io.BytesIO(content)
        assert saving.wait(60) == 0


@pytest.mark.promise("S4")
def test_no_secret_is_in_an_image_layer(images: None) -> None:
    scanned, found = 0, []
    for name, layer in layers_of(IMAGES):
        scanned += 1
        found += [f"{name}: {secret}" for secret in secrets_in(layer)]
    assert scanned > len(IMAGES)
    assert not found


@pytest.mark.promise("S4")
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("var/lib/gustbed/credentials/edge.password", b"x"),
        ("etc/app.conf", b"-----BEGIN EC PRIVATE KEY-----\n" + b"A" * 64),
        ("opt/gustbed/packages/gustbed_edge/x.py", b"'AKIA" + b"A" * 16 + b"'"),
        ("run/secrets/ca", b"x"),
    ],
)
def test_the_search_finds_a_planted_secret(path: str, content: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        member = tarfile.TarInfo(path)
        member.size = len(content)
        layer.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    assert list(secrets_in(buffer))


@pytest.mark.promise("S4")
@pytest.mark.parametrize("image", IMAGES)
def test_an_images_history_tells_no_secret(images: None, image: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert "COPY" in history
    assert not re.search(
        r"(?i)(password|token|secret)\s*=|AKIA|BEGIN CERTIFICATE|://[^/\s]+@", history
    )


@pytest.mark.promise("S3")
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_names_an_ordinary_user_and_a_health_check(images: None, image: str) -> None:
    config = json.loads(docker("image", "inspect", image))[0]["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    # The broker's files are written once: that image runs no service.
    expected = "NONE" if image.startswith("gustbed/broker") else "CMD"
    assert config["Healthcheck"]["Test"][0] == expected


def test_the_edge_image_holds_the_edge_and_no_more(images: None) -> None:
    script = (
        "import importlib.util as u, gustbed_edge, gustbed_core\n"
        f"print([m for m in {NOT_ON_THE_EDGE!r} if u.find_spec(m)])"
    )
    said = docker("run", "--rm", "--entrypoint", "python", image_of("edge"), "-c", script)
    assert said.splitlines() == ["[]"]
    assert json.loads(docker("image", "inspect", image_of("edge")))[0]["Size"] <= LARGEST_EDGE


@pytest.mark.promise("S3")
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_nothing_that_installs_or_builds(images: None, image: str) -> None:
    script = (
        "import importlib.util as u, os, shutil\n"
        f"print([t for t in {INSTALLERS!r} if shutil.which(t)], u.find_spec('pip'))\n"
        "folders = [os.path.join(at, f) for at, f, _ in os.walk('/usr') for f in f]\n"
        "print([f for f in folders if os.path.basename(f).startswith('perl')])\n"
        "print(os.stat('/etc/ssl/certs/ca-certificates.crt').st_size > 100_000)\n"
        "import zoneinfo; print(zoneinfo.ZoneInfo('Europe/Berlin'))\n"
        "packages = open('/var/lib/dpkg/status').read().count('Status: install ok installed')\n"
        "print(packages > 40, os.path.exists('/etc/os-release'))"
    )
    said = docker("run", "--rm", "--entrypoint", "python", image, "-c", script)
    assert said.splitlines() == ["[] None", "[]", "True", "Europe/Berlin", "True True"]


def test_images_share_the_layers_that_they_stand_on(images: None) -> None:
    layers = [json.loads(docker("image", "inspect", i))[0]["RootFS"]["Layers"] for i in IMAGES]
    shared = set.intersection(*map(set, layers))
    history = docker("history", "--format", "{{.Size}} {{.CreatedBy}}", "--no-trunc", IMAGES[0])
    assert len(shared) >= 2
    assert "COPY / /" in history


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_what_it_was_made_from(images: None, image: str) -> None:
    labels = json.loads(docker("image", "inspect", image))[0]["Config"]["Labels"]
    said = {name.rpartition("image.")[2]: value for name, value in labels.items()}
    assert {"version", "revision", "title", "description", "licenses", "source"} <= set(said)
    assert said["title"] == image.partition(":")[0].replace("/", "-")
    assert "python" in said["base.name"]


@pytest.mark.parametrize(("image", "lock"), LOCKS.items())
def test_an_image_holds_the_versions_of_its_lock(images: None, image: str, lock: str) -> None:
    script = (
        "import importlib.metadata as m\n"
        "for d in m.distributions(): print(d.metadata['Name'], d.version)"
    )
    said = docker("run", "--rm", "--entrypoint", "python", image, "-c", script)
    installed = {
        canonicalize_name(name): version for name, version in map(str.split, said.splitlines())
    }
    pinned = pins(lock)
    loose = {
        name: version
        for name, version in installed.items()
        if not name.startswith("gustbed-") and pinned.get(name) != version
    }
    assert len(installed) > 3
    assert not loose
