"""An update either passes every check and serves, or changes nothing and says why."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from gustbed_core.features import Feature
from gustbed_core.jobs import Signature
from gustbed_core.package import MAX_PACKAGE_BYTES, Package, PackageError
from gustbed_core.telemetry import MINI
from gustbed_edge.models.installer import Limits
from gustbed_edge.models.loading import load_factory
from gustbed_edge.scoring.detector import Detector
from tests.support.packages import SigningKey, sign_package, tiny_graph, tiny_package, write_factory
from tests.unit.edge.installing import THRESHOLDS, Site, full


def test_an_update_serves_and_is_committed(site: Site) -> None:
    site.install(site.package("1.1.0"))
    assert site.swapped == ["1.1.0"]
    assert site.serves() == "1.1.0"


@pytest.mark.promise("O6")
def test_updates_two_and_three_work_as_the_first_did(site: Site) -> None:
    for version in ("1.1.0", "1.2.0", "1.10.0"):
        site.install(site.package(version))
    assert site.swapped == ["1.1.0", "1.2.0", "1.10.0"]
    assert site.serves() == "1.10.0"


def test_progress_names_the_version_and_the_step(site: Site) -> None:
    steps: list[str] = []
    site.installer.install("job", site.order(site.package("1.1.0")), steps.append)
    assert [step.split(": ") for step in steps] == [
        ["tiny 1.1.0", step] for step in ("checking", "downloading", "testing", "installing")
    ]


@pytest.mark.promise("O2")
def test_a_wrongly_signed_package_is_refused_before_it_is_downloaded(site: Site) -> None:
    signed = site.package("1.1.0")
    unsigned = asdict(Signature("", "k1"))
    stranger = asdict(SigningKey("k1").sign(signed.release))
    unknown = asdict(SigningKey("k9").sign(signed.release))
    assert site.refusal(signed, signature=unsigned) == "unsigned"
    assert site.refusal(signed, signature=stranger) == "bad_signature"
    assert site.refusal(signed, signature=unknown) == "unknown_key"
    assert site.downloads == 0


@pytest.mark.promise("O2")
def test_a_changed_release_is_refused(site: Site) -> None:
    signed = site.package("1.1.0")
    for change in ({"version": "1.2.0"}, {"rollback": True}, {"size": 5}, {"sha256": "0" * 64}):
        changed = asdict(replace(signed.release, **change))
        assert site.refusal(signed, release=changed) == "bad_signature"


@pytest.mark.promise("O2")
def test_an_oversized_package_is_refused(site: Site) -> None:
    package = tiny_package("1.1.0")
    size = MAX_PACKAGE_BYTES + 1
    signed = site.sign(package, size=size)
    assert site.refusal(signed) == "oversized"
    assert site.downloads == 0


@pytest.mark.promise("O2")
def test_what_was_downloaded_must_be_what_was_signed(site: Site) -> None:
    signed = site.package("1.1.0")
    other = site.package("1.2.0")
    document = site.order(signed)
    site.served = other.archive
    with pytest.raises(PackageError) as refused:
        site.installer.install("job", document, lambda _text: None)
    assert refused.value.reason in ("wrong_size", "wrong_digest")


@pytest.mark.promise("O3")
def test_an_older_version_is_refused_also_after_a_restart(site: Site) -> None:
    site.install(site.package("1.2.0"))
    assert site.refusal(site.package("1.1.0")) == "not_newer"
    site.start()
    assert site.refusal(site.package("1.1.9")) == "not_newer"
    assert site.refusal(site.package("1.0.0")) == "not_newer"


@pytest.mark.promise("O3")
def test_a_signed_rollback_is_followed(site: Site) -> None:
    site.install(site.package("1.2.0"))
    package = tiny_package("1.1.0")
    rollback = site.sign(package, rollback=True)
    site.install(rollback)
    assert site.serves() == "1.1.0"


def test_the_factory_models_version_counts_as_installed(site: Site) -> None:
    assert site.refusal(site.package("0.9.0")) == "not_newer"


def test_the_same_version_with_other_content_is_refused(site: Site) -> None:
    site.install(site.package("1.1.0"))
    other = site.package("1.1.0", thresholds=dict.fromkeys(tiny_package().manifest.thresholds, 1.0))
    assert site.refusal(other) == "not_newer"


@pytest.mark.promise("O6")
def test_what_serves_already_is_a_success_without_another_swap(site: Site) -> None:
    signed = site.package("1.1.0")
    site.install(signed)
    site.start()
    site.install(signed, job="another")
    assert site.swapped == ["1.1.0"]
    assert site.downloads == 1


def test_a_committed_model_that_broke_may_be_installed_again(site: Site) -> None:
    signed = site.package("1.1.0")
    site.install(signed)
    shutil.rmtree(site.folder / "models" / "tiny-1.1.0")
    assert site.serves() == "1.0.0"
    assert site.refusal(site.package("1.0.5")) == "not_newer"
    site.install(site.again(signed))
    assert site.serves() == "1.1.0"


def test_another_models_package_is_refused(site: Site) -> None:
    assert site.refusal(site.package("1.1.0", name="other")) == "wrong_model"


def test_a_model_for_another_sample_rate_is_refused(site: Site) -> None:
    assert site.refusal(site.package("1.1.0", rate=10.0)) == "wrong_rate"
    site.install(site.mill("1.0.0"))
    assert site.refusal(site.mill("1.1.0", sample_rate_hz=2.0)) == "wrong_rate"


def test_a_model_that_would_take_too_much_memory_is_refused(site: Site) -> None:
    site.start(limits=Limits(100_000, 5.0))
    assert site.refusal(site.package("1.1.0", window=2000)) == "too_large"


def test_a_factory_model_newer_than_the_broken_one_counts_as_installed(site: Site) -> None:
    site.install(site.package("1.1.0"))
    shutil.rmtree(site.folder / "models" / "tiny-1.1.0")
    own = SigningKey("factory")
    newer = sign_package(tiny_package("1.5.0"), own, site.folder / "packages")
    write_factory(site.factory, newer, own)
    assert site.serves() == "1.5.0"
    assert site.refusal(site.package("1.1.0")) == "not_newer"
    site.install(site.package("1.6.0"))
    assert site.serves() == "1.6.0"


def altered(package: Package, **changes: Any) -> Package:
    return replace(package, manifest=replace(package.manifest, **changes))


def test_a_package_for_other_features_is_refused(site: Site) -> None:
    package = tiny_package("1.1.0")
    features = [*package.manifest.features, Feature("gust", "m/s")]
    signed = site.sign(altered(package, features=features))
    assert site.refusal(signed) == "wrong_features"


@pytest.mark.promise("O4")
def test_a_model_that_misses_its_golden_outputs_is_refused(site: Site) -> None:
    package = replace(tiny_package("1.1.0"), model=tiny_graph(dict.fromkeys(THRESHOLDS, 3.0)))
    signed = site.sign(package)
    assert site.refusal(signed) == "golden_mismatch"
    assert site.serves() == "1.0.0"


@pytest.mark.promise("O4")
def test_a_model_that_is_too_slow_is_refused(site: Site) -> None:
    site.start(limits=Limits(6, 1e-7))
    assert site.refusal(site.package("1.1.0")) == "too_slow"


@pytest.mark.promise("O1")
def test_a_pointer_that_cannot_be_written_brings_the_old_model_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.store, "commit", full)
    with pytest.raises(PackageError) as refused:
        site.install(site.package("1.1.0"))
    assert refused.value.reason == "storage"
    assert site.swapped == ["1.1.0", "1.0.0"]
    assert site.serves() == "1.0.0"


def test_a_scoring_thread_that_does_not_swap_leaves_the_old_model(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(_detector: Detector) -> None:
        raise TimeoutError("stuck")

    monkeypatch.setattr(site, "serve", stuck)
    assert site.refusal(site.package("1.1.0")) == "not_swapped"
    assert site.serves() == "1.0.0"


def test_a_first_model_on_an_edge_without_any_is_taken(site: Site) -> None:
    site.factory = site.folder / "nowhere"
    site.start()
    site.install(site.package("0.1.0"))
    assert site.serves() == "0.1.0"


BAD_DOCUMENTS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "no object": ("bad_document", lambda _d: [1, 2]),
    "nothing": ("bad_document", lambda _d: None),
    "no release": ("bad_document", lambda d: {k: v for k, v in d.items() if k != "release"}),
    "text for size": ("bad_document", lambda d: d | {"release": d["release"] | {"size": "5"}}),
    "number for url": ("bad_document", lambda d: d | {"url": 5}),
    "other operation": ("wrong_operation", lambda d: d | {"operation": "rm -rf /"}),
    "other schema": ("wrong_schema", lambda d: d | {"schema": 9}),
    "path for name": ("bad_name", lambda d: d | {"release": d["release"] | {"name": "../x"}}),
    "word for version": ("bad_version", lambda d: d | {"release": d["release"] | {"version": "v"}}),
    "negative size": ("oversized", lambda d: d | {"release": d["release"] | {"size": -1}}),
}


@pytest.mark.promise("S5")
@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_its_reason(case: str, site: Site) -> None:
    reason, change = BAD_DOCUMENTS[case]
    document = change(site.order(site.package("1.1.0")))
    with pytest.raises(PackageError) as refused:
        site.installer.install("job", document, lambda _text: None)
    assert refused.value.reason == reason
    assert site.downloads == 0


def test_the_factory_key_does_not_sign_updates(site: Site) -> None:
    own = SigningKey("factory")
    signed = sign_package(tiny_package("1.1.0"), own, site.folder / "packages")
    assert site.refusal(signed) == "unknown_key"
    assert load_factory(site.factory)[MINI].release.version == "1.0.0"
