"""An update either passes every check and serves, or changes nothing and says why."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gustbed_edge.detector import Detector
from gustbed_edge.installer import Installer, Limits
from gustbed_edge.models import ModelStore, load_challengers, load_factory, load_serving
from gustbed_edge.trust import Keys
from gustbed_protocol.features import Feature
from gustbed_protocol.jobs import JobDocument, Signature
from gustbed_protocol.package import MAX_PACKAGE_BYTES, Package, PackageError
from gustbed_protocol.telemetry import MINI
from tests.support.packages import (
    MILL,
    Signed,
    SigningKey,
    mill_package,
    sign_package,
    tiny_graph,
    tiny_package,
    write_factory,
)

KEY = SigningKey("k1")


class Site:
    """An edge's disk and an artifact store, without the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys: Keys = {"k1": KEY.private.public_key()}
        self.swapped: list[str] = []
        self.shadows: dict[str, str] = {}
        self.downloads = 0
        self.served: bytes = b""
        own = SigningKey("factory")
        signed = sign_package(tiny_package("1.0.0"), own, folder / "packages")
        self.factory = write_factory(folder / "factory", signed, own)
        self.start()

    def start(self, **changes: Any) -> None:
        """Start, or restart."""
        store = ModelStore(self.folder / "models")
        self.serving = load_serving(store, self.keys, self.factory)
        challengers = load_challengers(store, self.keys, self.serving)
        self.shadows = {kind: loaded.release.version for kind, loaded in challengers.items()}
        options: dict[str, Any] = {
            "serving": self.serving,
            "keys": lambda: self.keys,
            "scoring": self,
            "challengers": challengers,
            "limits": Limits(6, 5.0),
            "scratch": self.folder,
            "fetch": self.fetch,
        }
        self.store = store
        self.installer = Installer(store, **(options | changes))

    def serve(self, detector: Detector) -> None:
        self.swapped.append(detector.model.version)

    def withdraw(self, kind: str) -> None:
        self.swapped.append(f"no {kind}")

    def challenge(self, detector: Detector) -> None:
        self.shadows[detector.manifest.turbine_type] = detector.model.version

    def dismiss(self, kind: str) -> None:
        del self.shadows[kind]

    def challenging(self, kind: str) -> bool:
        return kind in self.shadows

    def fetch(self, _url: str, _size: int, _sha256: str, _folder: Path) -> bytes:
        self.downloads += 1
        return self.served

    def order(self, signed: Signed, **changes: Any) -> dict[str, Any]:
        """The job document of a package, which is put up for download."""
        self.served = signed.archive
        document = JobDocument(signed.release, "https://store/x", signed.signature)
        return asdict(document) | changes

    def package(self, version: str, **options: Any) -> Signed:
        """A signed package."""
        return sign_package(tiny_package(version, **options), KEY, self.folder / "packages")

    def mill(self, version: str, **options: Any) -> Signed:
        """A signed package for another type."""
        return sign_package(mill_package(version, **options), KEY, self.folder / "packages")

    def shadow(self, version: str, **options: Any) -> Signed:
        """A package signed to challenge."""
        package = tiny_package(version, **options)
        return sign_package(package, KEY, self.folder / "packages", role="shadow")

    def install(self, signed: Signed, job: str = "job", **changes: Any) -> None:
        self.installer.install(job, self.order(signed, **changes), lambda _text: None)

    def refusal(self, signed: Signed, **changes: Any) -> str:
        """The reason of a refusal, which must have changed nothing."""
        before, swapped = self.store.committed(), list(self.swapped)
        with pytest.raises(PackageError) as refused:
            self.install(signed, **changes)
        assert self.store.committed() == before
        assert self.swapped == swapped
        return refused.value.reason

    def serves(self, kind: str = MINI) -> str | None:
        """The version that serves after a restart."""
        self.start()
        return self.serving[kind].release.version if kind in self.serving else None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_an_update_serves_and_is_committed(site: Site) -> None:
    site.install(site.package("1.1.0"))
    assert site.swapped == ["1.1.0"]
    assert site.serves() == "1.1.0"


def test_o6_updates_two_and_three_work_as_the_first_did(site: Site) -> None:
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


def test_o2_a_wrongly_signed_package_is_refused_before_it_is_downloaded(site: Site) -> None:
    signed = site.package("1.1.0")
    unsigned = asdict(Signature("", "k1"))
    stranger = asdict(SigningKey("k1").sign(signed.release))
    unknown = asdict(SigningKey("k9").sign(signed.release))
    assert site.refusal(signed, signature=unsigned) == "unsigned"
    assert site.refusal(signed, signature=stranger) == "bad_signature"
    assert site.refusal(signed, signature=unknown) == "unknown_key"
    assert site.downloads == 0


def test_o2_a_changed_release_is_refused(site: Site) -> None:
    signed = site.package("1.1.0")
    for change in ({"version": "1.2.0"}, {"rollback": True}, {"size": 5}, {"sha256": "0" * 64}):
        changed = asdict(replace(signed.release, **change))  # type: ignore[arg-type]
        assert site.refusal(signed, release=changed) == "bad_signature"


def test_o2_an_oversized_package_is_refused(site: Site) -> None:
    package = tiny_package("1.1.0")
    size = MAX_PACKAGE_BYTES + 1
    signed = sign_package(package, KEY, site.folder / "packages", size=size)
    assert site.refusal(signed) == "oversized"
    assert site.downloads == 0


def test_o2_what_was_downloaded_must_be_what_was_signed(site: Site) -> None:
    signed = site.package("1.1.0")
    other = site.package("1.2.0")
    document = site.order(signed)
    site.served = other.archive
    with pytest.raises(PackageError) as refused:
        site.installer.install("job", document, lambda _text: None)
    assert refused.value.reason in ("wrong_size", "wrong_digest")


def test_o3_an_older_version_is_refused_also_after_a_restart(site: Site) -> None:
    site.install(site.package("1.2.0"))
    assert site.refusal(site.package("1.1.0")) == "not_newer"
    site.start()
    assert site.refusal(site.package("1.1.9")) == "not_newer"
    assert site.refusal(site.package("1.0.0")) == "not_newer"


def test_o3_a_signed_rollback_is_followed(site: Site) -> None:
    site.install(site.package("1.2.0"))
    package = tiny_package("1.1.0")
    rollback = sign_package(package, KEY, site.folder / "packages", rollback=True)
    site.install(rollback)
    assert site.serves() == "1.1.0"


def test_the_factory_models_version_counts_as_installed(site: Site) -> None:
    assert site.refusal(site.package("0.9.0")) == "not_newer"


def test_the_same_version_with_other_content_is_refused(site: Site) -> None:
    site.install(site.package("1.1.0"))
    other = site.package("1.1.0", thresholds=dict.fromkeys(tiny_package().manifest.thresholds, 1.0))
    assert site.refusal(other) == "not_newer"


def test_o6_what_serves_already_is_a_success_without_another_swap(site: Site) -> None:
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
    site.install(signed)
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


def test_a_type_that_the_site_has_not_got_is_installed_all_the_same(site: Site) -> None:
    site.install(site.mill("0.1.0"))
    assert (site.serves(), site.serves(MILL)) == ("1.0.0", "0.1.0")
    assert site.swapped == ["0.1.0"]


def test_o3_versions_are_compared_within_a_models_name(site: Site) -> None:
    site.install(site.mill("5.0.0"))
    site.install(site.package("1.1.0"))
    assert site.refusal(site.mill("4.0.0")) == "not_newer"
    site.start()
    assert site.refusal(site.mill("4.0.0")) == "not_newer"
    site.install(site.package("1.2.0"))
    assert (site.serves(), site.serves(MILL)) == ("1.2.0", "5.0.0")


def test_o6_updates_of_two_types_in_turn_work_as_the_first_did(site: Site) -> None:
    for number in ("2.0.0", "2.1.0", "2.2.0"):
        site.install(site.package(number))
        site.install(site.mill(number))
    assert (site.serves(), site.serves(MILL)) == ("2.2.0", "2.2.0")


def test_a_package_of_another_type_under_an_installed_name_is_refused(site: Site) -> None:
    assert site.refusal(site.mill("2.0.0", name="tiny")) == "wrong_model"
    site.install(site.mill("1.0.0"))
    assert site.refusal(site.package("2.0.0", name="mill")) == "wrong_model"


def test_a_second_name_for_a_type_is_refused_also_after_a_restart(site: Site) -> None:
    site.install(site.mill("1.0.0"))
    assert site.refusal(site.mill("2.0.0", name="windmill")) == "wrong_model"
    site.start()
    assert site.refusal(site.mill("2.0.0", name="windmill")) == "wrong_model"


def test_o1_a_first_model_of_a_type_whose_pointer_cannot_be_written_does_not_serve(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.store, "commit", full)
    with pytest.raises(PackageError) as refused:
        site.install(site.mill("1.0.0"))
    assert refused.value.reason == "storage"
    assert site.swapped == ["1.0.0", "no mill"]
    assert site.serves(MILL) is None


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


# Challengers


def test_a_shadow_release_challenges_and_does_not_serve_also_after_a_restart(site: Site) -> None:
    site.install(site.shadow("1.1.0"))
    assert (site.shadows, site.swapped) == ({"mini": "1.1.0"}, [])
    assert site.serves() == "1.0.0"
    assert site.shadows == {"mini": "1.1.0"}


def test_o2_o4_a_challenger_passes_the_same_checks(site: Site) -> None:
    signed = site.shadow("1.1.0")
    changed = asdict(replace(signed.release, role="serve"))
    assert site.refusal(signed, release=changed) == "bad_signature"
    package = replace(tiny_package("1.1.0"), model=tiny_graph(dict.fromkeys(THRESHOLDS, 3.0)))
    wrong = sign_package(package, KEY, site.folder / "packages", role="shadow")
    assert site.refusal(wrong) == "golden_mismatch"
    assert site.refusal(site.shadow("1.1.0", rate=10.0)) == "wrong_rate"
    assert site.refusal(site.shadow("1.1.0", name="other")) == "wrong_model"
    assert site.refusal(site.shadow("1.0.0")) == "not_newer"
    assert site.shadows == {}


def test_a_shadow_of_a_type_that_nothing_serves_is_refused(site: Site) -> None:
    signed = sign_package(mill_package("1.0.0"), KEY, site.folder / "packages", role="shadow")
    assert site.refusal(signed) == "nothing_to_challenge"


def test_a_role_that_nobody_knows_is_a_bad_document(site: Site) -> None:
    signed = sign_package(tiny_package("1.1.0"), KEY, site.folder / "packages", role="shade")
    assert site.refusal(signed) == "bad_document"


def test_the_same_version_released_to_serve_promotes_it(site: Site) -> None:
    site.install(site.shadow("1.1.0"))
    site.install(site.package("1.1.0"), job="promote")
    assert (site.shadows, site.swapped) == ({}, ["1.1.0"])
    assert site.serves() == "1.1.0"
    assert site.shadows == {}


def test_a_newer_serving_model_ends_an_older_challenger_and_an_older_one_does_not(
    site: Site,
) -> None:
    site.install(site.shadow("1.2.0"))
    site.install(site.package("1.1.0"))
    assert site.shadows == {"mini": "1.2.0"}
    site.install(site.package("1.3.0"))
    assert site.shadows == {}
    assert site.serves() == "1.3.0"
    assert site.shadows == {}


def test_another_shadow_takes_the_place_of_the_one_before(site: Site) -> None:
    site.install(site.shadow("1.1.0"))
    site.install(site.shadow("1.2.0"), job="next")
    assert site.shadows == {"mini": "1.2.0"}
    site.start()
    assert site.shadows == {"mini": "1.2.0"}


def test_a_rollback_under_a_challenger_keeps_it(site: Site) -> None:
    site.install(site.package("1.1.0"))
    site.install(site.shadow("1.2.0"))
    back = sign_package(tiny_package("1.0.5"), KEY, site.folder / "packages", rollback=True)
    site.install(back)
    assert site.serves() == "1.0.5"
    assert site.shadows == {"mini": "1.2.0"}


def test_what_challenges_already_is_a_success_and_what_was_dropped_begins_again(
    site: Site,
) -> None:
    signed = site.shadow("1.1.0")
    site.install(signed)
    site.install(signed, job="another")
    assert site.downloads == 1
    site.shadows.clear()
    site.install(signed, job="third")
    assert (site.downloads, site.shadows) == (2, {"mini": "1.1.0"})


def test_o1_a_challenger_that_cannot_be_committed_does_not_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "challenge", full)
        with pytest.raises(PackageError) as refused:
            site.install(site.shadow("1.1.0"))
    assert (refused.value.reason, site.shadows) == ("storage", {})
    site.install(site.shadow("1.1.0"))
    monkeypatch.setattr(site.store, "challenge", full)
    with pytest.raises(PackageError):
        site.install(site.shadow("1.2.0"))
    assert site.shadows == {"mini": "1.1.0"}


def test_a_challenger_that_the_scoring_thread_does_not_let_go_fails_no_promotion(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(_kind: str) -> None:
        raise TimeoutError("stuck")

    site.install(site.shadow("1.1.0"))
    monkeypatch.setattr(site, "dismiss", stuck)
    site.install(site.package("1.1.0"), job="promote")
    assert site.serves() == "1.1.0"


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def altered(package: Package, **changes: Any) -> Package:
    return replace(package, manifest=replace(package.manifest, **changes))


def test_a_package_for_other_features_is_refused(site: Site) -> None:
    package = tiny_package("1.1.0")
    features = [*package.manifest.features, Feature("gust", "m/s")]
    signed = sign_package(altered(package, features=features), KEY, site.folder / "packages")
    assert site.refusal(signed) == "wrong_features"


def test_o4_a_model_that_misses_its_golden_outputs_is_refused(site: Site) -> None:
    package = replace(tiny_package("1.1.0"), model=tiny_graph(dict.fromkeys(THRESHOLDS, 3.0)))
    signed = sign_package(package, KEY, site.folder / "packages")
    assert site.refusal(signed) == "golden_mismatch"
    assert site.serves() == "1.0.0"


THRESHOLDS = tiny_package().manifest.thresholds


def test_o4_a_model_that_is_too_slow_is_refused(site: Site) -> None:
    site.start(limits=Limits(6, 1e-7))
    assert site.refusal(site.package("1.1.0")) == "too_slow"


def test_o1_a_pointer_that_cannot_be_written_brings_the_old_model_back(
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


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_s5_a_bad_document_is_refused_with_its_reason(case: str, site: Site) -> None:
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
