"""What passes by itself while containers start is waited for, and what does not is said."""

import subprocess
import time
from pathlib import Path

import pytest

from gustbed_cli.fleet import Fleet, PlaceSettings
from gustbed_cli.runtime import docker
from gustbed_cli.runtime.docker import DockerRuntime
from gustbed_core.errors import GustbedError
from gustbed_core.settings import SiteSettings

HELD = "Error starting userland proxy: listen tcp4 127.0.0.1:1883: bind: address already in use"


class Refusing(DockerRuntime):
    """Compose that refuses a number of times."""

    def __init__(self, home: Path, words: str, times: int) -> None:
        super().__init__(Fleet(PlaceSettings(home=home), SiteSettings(), "local"))
        self.refusals = [GustbedError("docker compose up failed", words)] * times

    def _compose(self, *arguments: str, show: bool = False) -> str:
        if self.refusals:
            raise self.refusals.pop()
        return ""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "LOOK_EVERY", 0.0)


@pytest.mark.promise("T4")
@pytest.mark.parametrize("words", [HELD, "dependency failed to start: container x is unhealthy"])
def test_what_passes_is_waited_for(tmp_path: Path, words: str) -> None:
    runtime = Refusing(tmp_path, words, times=3)
    runtime._start(time.monotonic())
    assert runtime.refusals == []


@pytest.mark.parametrize(
    ("words", "waited"),
    [(HELD, docker.PASSING["address already in use"] + 1), ("no such image", 0.0)],
)
def test_what_does_not_pass_is_said(tmp_path: Path, words: str, waited: float) -> None:
    runtime = Refusing(tmp_path, words, times=9)
    with pytest.raises(GustbedError, match=words.partition(":")[0]):
        runtime._start(time.monotonic() - waited)
    assert len(runtime.refusals) == 8


def test_what_compose_says_is_not_cut_before_it_is_looked_at(tmp_path: Path) -> None:
    """A long project name comes first, in each container's name."""

    class Failing(DockerRuntime):
        def _run_compose(
            self, *arguments: str, capture: bool = False
        ) -> subprocess.CompletedProcess[str]:
            said = "Error response from daemon: " + "a-very-long-project-name " * 20 + HELD
            return subprocess.CompletedProcess(arguments, 1, "", said)

    runtime = Failing(Fleet(PlaceSettings(home=tmp_path), SiteSettings(), "local"))
    with pytest.raises(GustbedError, match="address already in use"):
        runtime._compose("up")


def test_an_images_label_of_revision_is_the_commit_and_says_where_files_differ(
    tmp_path: Path,
) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(
            ("git", *who, *arguments), cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert docker._revision(tmp_path) == "unknown"
    git("init", "--quiet")
    file = tmp_path / "VERSION"
    file.write_text("1")
    git("add", "VERSION")
    git("commit", "--quiet", "--message", "One")
    commit = git("rev-parse", "HEAD")
    assert docker._revision(tmp_path) == commit
    file.write_text("2")
    assert docker._revision(tmp_path) == f"{commit}-dirty"
