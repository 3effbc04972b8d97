"""A signed order works once, for whom it is meant, until it expires; else nothing is touched."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gustbed_core.jobs import RELEASE_FILE, VALID_SECONDS, Release
from gustbed_core.package import PackageError
from gustbed_edge.models import installer, orders, store
from gustbed_edge.models.orders import OrderBook, require_host
from tests.support.packages import GROUP, Signed, SigningKey, as_order, tiny_package
from tests.unit.edge.installing import Site, full

DAY = 86_400


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def reach(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", reach)


@pytest.mark.promise("O12")
@pytest.mark.parametrize("target", ["gustbed-others", "thing:edge-2", "edge-1", "", "thing:"])
def test_an_order_for_others_is_refused(target: str, site: Site) -> None:
    signed = site.sign(tiny_package("1.1.0"), target=target)
    assert site.refusal(signed) == "wrong_target"
    assert site.downloads == 0


@pytest.mark.promise("O12")
@pytest.mark.parametrize("target", [GROUP, "thing:edge-1"])
def test_an_order_for_its_group_or_for_itself_is_followed(target: str, site: Site) -> None:
    site.install(site.sign(tiny_package("1.1.0"), target=target))
    assert site.serves() == "1.1.0"


@pytest.mark.promise("O12")
def test_an_order_that_has_expired_is_refused(site: Site) -> None:
    signed = site.package("1.1.0")
    site.now = lambda: signed.release.expires + 1.0
    assert site.refusal(signed) == "expired"
    site.now = lambda: signed.release.expires - 1.0
    site.install(signed)


@pytest.mark.parametrize("clock", [0.0, 1.0e9])
def test_a_clock_before_the_signature_is_named(clock: float, site: Site) -> None:
    site.now = lambda: clock
    with pytest.raises(
        PackageError, match=r"edge's clock says (1970|2001)-.* set the clock"
    ) as seen:
        site.install(site.package("1.1.0"))
    assert seen.value.reason == "wrong_clock"
    # As far behind as a clock may be.
    site.now = lambda: site_time(site) - orders.CLOCK_TOLERANCE / 2
    site.install(site.package("1.2.0"))


def site_time(site: Site) -> float:
    return float(site.package("9.9.9").release.issued)


@pytest.mark.promise("O12", "O3")
def test_a_signed_rollback_does_not_work_twice(site: Site) -> None:
    site.install(site.package("1.2.0"))
    back = site.sign(tiny_package("1.1.0"), rollback=True)
    site.install(back)
    site.install(site.package("1.3.0"))
    assert site.refusal(back) == "replayed"
    site.start()
    assert site.refusal(back) == "replayed"
    site.install(site.again(back))
    assert site.serves() == "1.1.0"


@pytest.mark.promise("O12")
def test_what_was_ordered_last_survives_the_loss_of_its_file(site: Site) -> None:
    old = site.package("1.1.0")
    site.install(site.package("1.2.0"))
    for damage in (b"", b"{", b"[]"):
        (site.folder / orders.FILE).write_bytes(damage)
        site.start()
        assert site.refusal(old) == "replayed"
    (site.folder / orders.FILE).unlink()
    site.start()
    assert site.refusal(old) == "replayed"


def test_an_order_that_failed_counts_as_the_last(site: Site) -> None:
    before, bad = site.package("1.1.0"), site.package("1.2.0", rate=10.0)
    assert site.refusal(bad) == "wrong_rate"
    assert site.refusal(before) == "replayed"
    assert site.refusal(bad) == "wrong_rate"


@pytest.mark.promise("O10")
def test_what_failed_may_be_ordered_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = site.package("1.1.0")
    monkeypatch.setattr(store, "write_atomic", full)
    assert site.refusal(signed) == "storage"
    monkeypatch.undo()
    site.install(site.again(signed), job="another")
    assert site.serves() == "1.1.0"


def test_orders_to_serve_and_to_run_in_shadow_are_counted_apart(site: Site) -> None:
    shadow = site.shadow("1.5.0")
    site.install(site.package("1.1.0"))
    site.install(shadow)
    assert (site.serves(), site.shadows) == ("1.1.0", {"mini": "1.5.0"})


@pytest.mark.promise("O10")
def test_numbers_that_began_anew_are_followed(site: Site) -> None:
    """The emulator was made anew: no approval is left, but time has gone on."""
    site.install(site.package("1.1.0"))
    site.install(site.sign(tiny_package("1.2.0"), sequence=2_000_000_000))
    assert site.serves() == "1.2.0"


@pytest.mark.promise("O10")
def test_the_same_order_signed_anew_for_one_edge_is_a_success(site: Site) -> None:
    first = site.package("1.1.0")
    site.install(first)
    expires = first.release.expires + DAY
    again = site.again(
        first, sequence=first.release.sequence, target="thing:edge-1", expires=expires
    )
    site.install(again, job="welcome")
    assert site.downloads == 1


@pytest.mark.promise("O12")
def test_another_package_under_the_same_number_is_refused(site: Site) -> None:
    first = site.package("1.1.0")
    site.install(first)
    other = site.sign(tiny_package("1.2.0"), sequence=first.release.sequence)
    assert site.refusal(other) == "replayed"


@pytest.mark.promise("S5")
@pytest.mark.parametrize(
    "url",
    [
        "https://evil/x",
        "https://store:8443/x",
        "https://store@evil/x",
        "https://store.evil/x",
        "https://evil/?https://store/x",
        "https://evil#@store/x",
    ],
)
def test_a_package_from_another_host_is_refused(url: str, site: Site) -> None:
    signed = site.package("1.1.0")
    assert site.refusal(signed, url=url) == "foreign_host"
    assert site.downloads == 0
    # The address is not signed: a false one must not use up the order.
    site.install(signed)


@pytest.mark.promise("S5")
@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://st\nore/x", "https://[::1/x", ""])
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(PackageError) as refused:
        require_host(url, ["store", ""])
    assert refused.value.reason == "bad_url"


def test_without_an_enrolment_that_names_hosts_nothing_is_fetched(site: Site) -> None:
    site.hosts = ()
    assert site.refusal(site.package("1.1.0")) == "foreign_host"


def test_a_job_of_an_earlier_gustbed_is_refused_with_what_to_do(site: Site) -> None:
    signed = site.package("1.1.0")
    old = site.again(signed, sequence=0, issued=0, expires=0, target="")
    content = asdict(old.release)
    for name in ("sequence", "issued", "expires", "target"):
        del content[name]
    with pytest.raises(PackageError, match=r"earlier Gustbed.*approve it again") as refused:
        site.install(old, release=content, schema=1)
    assert refused.value.reason == "wrong_schema"
    # Called of today, it is for nobody.
    assert site.refusal(old, release=content, schema=2) == "wrong_target"


@pytest.mark.promise("O12")
def test_a_changed_order_is_not_what_was_signed(site: Site) -> None:
    signed = site.package("1.1.0")
    for change in (
        {"sequence": signed.release.sequence + 1},
        {"expires": signed.release.expires + DAY},
        {"issued": signed.release.issued - DAY},
        {"target": "thing:edge-1"},
    ):
        changed = asdict(signed.release) | change
        assert site.refusal(signed, release=changed) == "bad_signature"


def test_an_order_that_cannot_be_written_down_is_not_followed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = site.package("1.1.0")
    monkeypatch.setattr(orders, "write_atomic", full)
    assert site.refusal(signed) == "storage"
    assert site.refusal(signed) == "storage"
    assert site.downloads == 0
    monkeypatch.undo()
    site.install(signed)


@pytest.mark.promise("O1", "O12")
def test_an_order_cut_off_anywhere_is_executed_when_it_is_delivered_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write, rename and step may be the last before the power goes."""
    places: list[tuple[Any, str]] = [
        (orders, "write_atomic"),
        (store, "write_atomic"),
        (store, "sync_folder"),
        (installer, "check_package"),
    ]
    minor = 0
    for module, name in places:
        real = getattr(module, name)
        for survivors in range(4):
            for after in (False, True):
                minor += 1
                signed = site.package(f"1.{minor}.0")
                left = survivors

                def die(*arguments: Any, after: bool = after, real: Any = real) -> Any:
                    nonlocal left
                    left -= 1
                    if left >= 0:
                        return real(*arguments)
                    if after:
                        real(*arguments)
                    raise KeyboardInterrupt

                monkeypatch.setattr(module, name, die)
                try:
                    site.install(signed)
                except KeyboardInterrupt:
                    monkeypatch.setattr(module, name, real)
                    assert site.serves() is not None
                monkeypatch.setattr(module, name, real)
                site.install(signed)
                assert site.serves() == f"1.{minor}.0"


@pytest.mark.promise("O8")
def test_after_a_rotation_the_old_model_serves_and_only_the_new_key_installs(site: Site) -> None:
    old = site.package("1.1.0")
    site.install(old)
    new = SigningKey("k2")
    site.keys = {"k2": new.private.public_key()}
    assert site.serves() == "1.1.0"
    assert site.refusal(site.again(old)) == "unknown_key"
    release = site.package("1.2.0").release
    archive = site.package("1.2.0").archive
    site.install(Signed(release, new.sign(release), archive))
    assert site.serves() == "1.2.0"


def test_a_book_holds_the_last_order_of_each_model(tmp_path: Path) -> None:
    book = OrderBook(tmp_path)
    one, other = (as_order(Release(name, "1.0.0", 1, "0" * 64)) for name in ("one", "other"))
    book.accept(other)
    book.accept(one)
    assert json.loads((tmp_path / orders.FILE).read_bytes())["one"]["serve"]["version"] == "1.0.0"
    OrderBook(tmp_path).accept(other)


def test_what_is_installed_says_what_was_ordered(site: Site) -> None:
    signed = site.package("1.1.0")
    site.install(signed)
    kept = json.loads((site.folder / "models" / "tiny-1.1.0" / RELEASE_FILE).read_bytes())
    assert kept["release"] == asdict(signed.release)
    assert signed.release.expires - signed.release.issued == VALID_SECONDS
