"""``gustbed cloud``: shown before it is done, asked on a terminal, refused where much is lost."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gustbed_cli.__main__ import app
from gustbed_cli.commands import cloud_stack
from gustbed_cloud.changes import Change, NothingToCompareError
from gustbed_core.errors import GustbedError

HARMLESS = Change("AlertFunction", "AWS::Lambda::Function", "change", ("Code", "tags"))
TAGGED = Change("AlertQueue", "AWS::SQS::Queue", "change", ("tags",))
LOSING = Change("LakeBucket", "AWS::S3::Bucket", "replace", ("BucketName",))


class Cloud:
    """A cloud in which a deployment would change something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes: list[Change] = []
        self.failed = False
        self.deployed = 0
        self.terminal = False
        session = SimpleNamespace(region_name="eu-central-1")
        for name, value in {
            "fleet_with_cloud": lambda: None,
            "open_session": lambda *_: session,
            "configured_plan": lambda _: SimpleNamespace(stack="gustbed"),
            "preview": self.preview,
            "deploy_plan": self.deploy,
            "sys": SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: self.terminal)),
        }.items():
            monkeypatch.setattr(cloud_stack, name, value)

    def preview(self, *_: Any) -> list[Change]:
        if self.failed:
            raise NothingToCompareError("stack gustbed is ROLLBACK_COMPLETE", "deploy it")
        return self.changes

    def deploy(self, *_: Any, **__: Any) -> Any:
        self.deployed += 1
        return SimpleNamespace(changed=bool(self.changes))

    def run(self, *words: str, typed: str = "") -> Any:
        return CliRunner().invoke(app, ["cloud", *words], input=typed)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(monkeypatch)


def test_diff_shows_losses_first_and_counts_what_only_its_tag_changes(cloud: Cloud) -> None:
    cloud.changes = [HARMLESS, TAGGED, LOSING]
    done = cloud.run("diff")
    assert done.exit_code == 0
    shown = done.stdout.splitlines()
    lost, changed = (
        next(i for i, line in enumerate(shown) if name in line)
        for name in ("LakeBucket", "AlertFunction")
    )
    assert lost < changed
    assert "OBJECTS" in shown[lost]
    assert "AlertQueue" not in done.stdout
    assert "Of 1 more only the tag gustbed-content changes." in done.stdout
    assert cloud.deployed == 0


def test_diff_for_programs_has_everything(cloud: Cloud) -> None:
    cloud.changes = [LOSING, TAGGED]
    first, second = json.loads(cloud.run("diff", "--json").stdout)
    assert (first["resource"], first["effect"], first["loses"]) == (
        "LakeBucket",
        "replace",
        "objects",
    )
    assert (second["parts"], second["loses"]) == (["tags"], "")


@pytest.mark.parametrize(("typed", "deployed"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_person_is_asked_after_the_changes_and_the_cost(
    cloud: Cloud, typed: str, deployed: int
) -> None:
    cloud.changes, cloud.terminal = [HARMLESS], True
    done = cloud.run("deploy", typed=typed)
    assert done.stdout.index("AlertFunction") < done.stdout.index("a month")
    assert done.stdout.index("a month") < done.stdout.index("Deploy?")
    assert cloud.deployed == deployed


def test_person_is_told_in_the_question_what_is_lost(cloud: Cloud) -> None:
    cloud.changes, cloud.terminal = [LOSING], True
    assert "LOSE LakeBucket: deploy?" in cloud.run("deploy", typed="n\n").stdout
    assert cloud.deployed == 0


def test_without_a_terminal_nothing_is_asked_and_nothing_is_lost(cloud: Cloud) -> None:
    cloud.changes = [HARMLESS]
    assert (cloud.run("deploy").exit_code, cloud.deployed) == (0, 1)
    cloud.changes = [HARMLESS, LOSING]
    refused = cloud.run("deploy")
    assert isinstance(refused.exception, GustbedError)
    assert "LakeBucket" in str(refused.exception)
    assert "--yes" in str(refused.exception)
    assert cloud.deployed == 1
    assert (cloud.run("deploy", "--yes").exit_code, cloud.deployed) == (0, 2)


def test_nothing_to_change_asks_nothing(cloud: Cloud) -> None:
    cloud.terminal = True
    done = cloud.run("deploy")
    assert (done.exit_code, cloud.deployed) == (0, 1)
    assert "Nothing would change." in done.stdout
    assert "Deploy?" not in done.stdout


def test_failed_creation_is_said_and_made_anew_once_confirmed(cloud: Cloud) -> None:
    cloud.failed, cloud.terminal = True, True
    assert "ROLLBACK_COMPLETE" in cloud.run("deploy", typed="n\n").stdout
    assert cloud.deployed == 0
    cloud.run("deploy", typed="y\n")
    assert cloud.deployed == 1


def test_deploy_beside_the_others_is_the_same(cloud: Cloud) -> None:
    cloud.changes = [LOSING]
    assert CliRunner().invoke(app, ["deploy"]).exit_code == 1
    assert CliRunner().invoke(app, ["deploy", "--yes"]).exit_code == 0
    assert cloud.deployed == 1


def test_estimate_needs_no_cloud_and_names_what_it_does_not_know() -> None:
    done = CliRunner().invoke(
        app, ["cloud", "estimate", "--region", "eu-central-1", "--turbines", "50", "--sites", "3"]
    )
    assert done.exit_code == 0, done.stderr
    assert "3 × 50 turbines of type mini" in done.stdout
    assert "without IoT, jobs, Firehose" in done.stdout
    assert "Not counted" in done.stdout
    words = ["cloud", "estimate", "--region", "us-east-1", "--json"]
    found = json.loads(CliRunner().invoke(app, words).stdout)
    assert found["total"] == pytest.approx(sum(each["cost"] for each in found["items"]))


def test_policy_of_a_known_account_needs_no_cloud() -> None:
    words = ["cloud", "policy", "enrol", "--account", "123456789012", "--region", "eu-west-1"]
    document = json.loads(CliRunner().invoke(app, words).stdout)
    assert document["Version"] == "2012-10-17"
    assert "arn:aws:kms:eu-west-1:123456789012:key/*" in str(document)
