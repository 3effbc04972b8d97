"""Every type has its own model, and at most one shadow model that is checked and never serves."""

from dataclasses import asdict, replace

import pytest

from gustbed_core.package import PackageError
from tests.support.packages import MILL, mill_package, tiny_graph, tiny_package
from tests.unit.edge.installing import THRESHOLDS, Site, full


def test_a_type_that_the_site_has_not_got_is_installed_all_the_same(site: Site) -> None:
    site.install(site.mill("0.1.0"))
    assert (site.serves(), site.serves(MILL)) == ("1.0.0", "0.1.0")
    assert site.swapped == ["0.1.0"]


@pytest.mark.promise("O3")
def test_versions_are_compared_within_a_models_name(site: Site) -> None:
    site.install(site.mill("5.0.0"))
    site.install(site.package("1.1.0"))
    assert site.refusal(site.mill("4.0.0")) == "not_newer"
    site.start()
    assert site.refusal(site.mill("4.0.0")) == "not_newer"
    site.install(site.package("1.2.0"))
    assert (site.serves(), site.serves(MILL)) == ("1.2.0", "5.0.0")


@pytest.mark.promise("O6")
def test_updates_of_two_types_in_turn_work_as_the_first_did(site: Site) -> None:
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


@pytest.mark.promise("O1")
def test_a_first_model_of_a_type_whose_pointer_cannot_be_written_does_not_serve(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.store, "commit", full)
    with pytest.raises(PackageError) as refused:
        site.install(site.mill("1.0.0"))
    assert refused.value.reason == "storage"
    assert site.swapped == ["1.0.0", "no mill"]
    assert site.serves(MILL) is None


# Shadow models


def test_a_shadow_release_runs_in_shadow_and_does_not_serve_also_after_a_restart(
    site: Site,
) -> None:
    site.install(site.shadow("1.1.0"))
    assert (site.shadows, site.swapped) == ({"mini": "1.1.0"}, [])
    assert site.serves() == "1.0.0"
    assert site.shadows == {"mini": "1.1.0"}


@pytest.mark.promise("O2", "O4")
def test_a_shadow_model_passes_the_same_checks(site: Site) -> None:
    signed = site.shadow("1.1.0")
    changed = asdict(replace(signed.release, role="serve"))
    assert site.refusal(signed, release=changed) == "bad_signature"
    package = replace(tiny_package("1.1.0"), model=tiny_graph(dict.fromkeys(THRESHOLDS, 3.0)))
    wrong = site.sign(package, role="shadow")
    assert site.refusal(wrong) == "golden_mismatch"
    assert site.refusal(site.shadow("1.1.0", rate=10.0)) == "wrong_rate"
    assert site.refusal(site.shadow("1.1.0", name="other")) == "wrong_model"
    assert site.refusal(site.shadow("1.0.0")) == "not_newer"
    assert site.shadows == {}


def test_a_shadow_of_a_type_that_nothing_serves_is_refused(site: Site) -> None:
    signed = site.sign(mill_package("1.0.0"), role="shadow")
    assert site.refusal(signed) == "nothing_to_challenge"


def test_a_role_that_nobody_knows_is_a_bad_document(site: Site) -> None:
    signed = site.sign(tiny_package("1.1.0"), role="shade")
    assert site.refusal(signed) == "bad_document"


def test_the_same_version_released_to_serve_promotes_it(site: Site) -> None:
    site.install(site.shadow("1.1.0"))
    site.install(site.package("1.1.0"), job="promote")
    assert (site.shadows, site.swapped) == ({}, ["1.1.0"])
    assert site.serves() == "1.1.0"
    assert site.shadows == {}


def test_a_newer_serving_model_ends_an_older_shadow_model_and_an_older_one_does_not(
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


def test_a_rollback_under_a_shadow_model_keeps_it(site: Site) -> None:
    site.install(site.package("1.1.0"))
    site.install(site.shadow("1.2.0"))
    back = site.sign(tiny_package("1.0.5"), rollback=True)
    site.install(back)
    assert site.serves() == "1.0.5"
    assert site.shadows == {"mini": "1.2.0"}


def test_what_runs_in_shadow_already_is_a_success_and_what_was_dropped_begins_again(
    site: Site,
) -> None:
    signed = site.shadow("1.1.0")
    site.install(signed)
    site.install(signed, job="another")
    assert site.downloads == 1
    site.shadows.clear()
    site.install(signed, job="third")
    assert (site.downloads, site.shadows) == (2, {"mini": "1.1.0"})


@pytest.mark.promise("O1")
def test_a_shadow_model_that_cannot_be_committed_does_not_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(site.store, "set_shadow", full)
        with pytest.raises(PackageError) as refused:
            site.install(site.shadow("1.1.0"))
    assert (refused.value.reason, site.shadows) == ("storage", {})
    site.install(site.shadow("1.1.0"))
    monkeypatch.setattr(site.store, "set_shadow", full)
    with pytest.raises(PackageError):
        site.install(site.shadow("1.2.0"))
    assert site.shadows == {"mini": "1.1.0"}


def test_a_shadow_model_that_the_scoring_thread_does_not_let_go_fails_no_promotion(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(_kind: str) -> None:
        raise TimeoutError("stuck")

    site.install(site.shadow("1.1.0"))
    monkeypatch.setattr(site, "stop_shadow", stuck)
    site.install(site.package("1.1.0"), job="promote")
    assert site.serves() == "1.1.0"
