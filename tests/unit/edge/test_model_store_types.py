"""Every type has its own slots, and its shadow model one more, which never serves from there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gustbed_core.jobs import PACKAGE_FILE, RELEASE_FILE
from gustbed_core.telemetry import MINI
from gustbed_edge.models import store as models
from gustbed_edge.models.loading import load_serving, load_shadow_models
from gustbed_edge.models.store import ModelStore
from tests.support.packages import (
    MILL,
    Signed,
    SigningKey,
    mill_package,
    sign_package,
    tiny_package,
    write_factory,
)
from tests.unit.edge.committing import KEY, KEYS, commit, kills, version


def shadow(store: ModelStore, signed: Signed, kind: str = MINI) -> None:
    store.set_shadow(kind, store.stage(signed.release, signed.signature, signed.archive, "job"))


def mill(tmp_path: Path, number: str, **changes: object) -> Signed:
    return sign_package(mill_package(number), KEY, tmp_path / "packages", **changes)


def sign_shadow(tmp_path: Path, number: str) -> Signed:
    return sign_package(tiny_package(number), KEY, tmp_path / "packages", role="shadow")


def slots(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "models").iterdir() if path.is_dir())


def test_every_folder_of_the_factory_is_a_model(
    factory: Path, store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = SigningKey("factory")
    write_factory(factory, sign_package(mill_package("0.8.0"), own, tmp_path / "packages"), own)
    (factory / "broken").mkdir()
    (factory / "broken" / RELEASE_FILE).write_text("{}")
    loaded = load_serving(store, KEYS, factory)
    assert {kind: one.release.name for kind, one in loaded.items()} == {
        "mini": "tiny",
        MILL: "mill",
    }
    assert "factory model broken" in caplog.text


def test_types_have_their_own_slots_and_pointers(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    for number in ("1.0.0", "1.1.0", "1.2.0"):
        commit(store, sign(number))
    signed = mill(tmp_path, "3.0.0")
    store.commit(MILL, store.stage(signed.release, signed.signature, signed.archive, "job"))
    assert slots(tmp_path) == ["mill-3.0.0", "tiny-1.1.0", "tiny-1.2.0"]
    loaded = load_serving(ModelStore(tmp_path / "models"), KEYS, factory)
    assert (version(loaded), version(loaded, MILL)) == ("1.2.0", "3.0.0")
    (tmp_path / "models" / "mill-3.0.0" / PACKAGE_FILE).unlink()
    assert version(load_serving(store, KEYS, factory)) == "1.2.0"


def test_a_slot_of_another_type_than_its_pointer_says_does_not_serve(
    store: ModelStore, factory: Path, tmp_path: Path
) -> None:
    signed = mill(tmp_path, "3.0.0")
    store.commit(MINI, store.stage(signed.release, signed.signature, signed.archive, "job"))
    loaded = load_serving(store, KEYS, factory)
    assert {kind: one.release.name for kind, one in loaded.items()} == {"mini": "tiny"}


def test_the_pointer_of_before_there_were_types_is_the_miniatures(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    commit(store, sign("1.1.0"))
    path = tmp_path / "models" / models.POINTER
    pointer = json.loads(path.read_text())["types"][MINI]
    for slot in (pointer["current"], pointer["previous"]):
        del slot["role"]
    del pointer["challenger"]
    path.write_text(json.dumps(pointer))
    assert version(load_serving(store, KEYS, factory)) == "1.1.0"
    commit(store, sign("1.2.0"))
    previous = store.committed()[MINI].previous
    assert previous is not None
    assert previous.version == "1.1.0"


def test_a_shadow_model_has_its_own_slot_and_outlives_a_restart(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    for number in ("1.1.0", "1.2.0"):
        shadow(store, sign_shadow(tmp_path, number))
    assert slots(tmp_path) == ["tiny-1.0.0", "tiny-1.2.0-shadow"]
    restarted = ModelStore(tmp_path / "models")
    serving = load_serving(restarted, KEYS, factory)
    assert version(serving) == "1.0.0"
    assert version(load_shadow_models(restarted, KEYS, serving)) == "1.2.0"
    assert load_shadow_models(restarted, KEYS, {}) == {}


def test_a_shadow_model_at_another_rate_than_the_model_that_serves_stays_away(
    store: ModelStore, factory: Path, tmp_path: Path
) -> None:
    package = tiny_package("1.1.0", rate=10.0)
    shadow(store, sign_package(package, KEY, tmp_path / "packages", role="shadow"))
    assert load_shadow_models(store, KEYS, load_serving(store, KEYS, factory)) == {}


@pytest.mark.parametrize(
    ("number", "remains"), [("1.0.5", True), ("1.1.0", False), ("1.2.0", False)]
)
def test_a_shadow_model_goes_once_a_model_that_is_not_older_serves(
    number: str, remains: bool, store: ModelStore, sign: Callable[[str], Signed], tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    shadow(store, sign_shadow(tmp_path, "1.1.0"))
    commit(store, sign(number))
    assert (store.committed()[MINI].shadow is not None) == remains
    assert ("tiny-1.1.0-shadow" in slots(tmp_path)) == remains
    assert f"tiny-{number}" in slots(tmp_path)


def test_a_shadow_release_never_serves_whatever_the_pointer_says(
    store: ModelStore, factory: Path, tmp_path: Path
) -> None:
    shadow(store, sign_shadow(tmp_path, "1.1.0"))
    (tmp_path / "models" / "tiny-1.1.0-shadow").rename(tmp_path / "models" / "tiny-1.1.0")
    path = tmp_path / "models" / models.POINTER
    pointer = json.loads(path.read_text())
    slot = pointer["types"][MINI].pop("challenger")
    pointer["types"][MINI]["current"] = slot | {"role": "serve"}
    path.write_text(json.dumps(pointer))
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


@pytest.mark.promise("O1")
@pytest.mark.parametrize("crash_in", ["write_atomic", "sync_folder"])
def test_a_kill_while_a_shadow_model_is_promoted_leaves_the_old_or_the_new_model(
    crash_in: str,
    store: ModelStore,
    sign: Callable[[str], Signed],
    factory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(store, sign("1.0.0"))
    shadow(store, sign_shadow(tmp_path, "1.1.0"))
    seen = set()
    for after in kills(
        crash_in, lambda killed: commit(killed, sign("1.1.0")), tmp_path / "models", monkeypatch
    ):
        serving = load_serving(after, KEYS, factory)
        seen.add((version(serving), version(load_shadow_models(after, KEYS, serving))))
    assert seen == {("1.0.0", "1.1.0")}
    assert version(load_serving(ModelStore(tmp_path / "models"), KEYS, factory)) == "1.1.0"
    assert store.committed()[MINI].shadow is None
