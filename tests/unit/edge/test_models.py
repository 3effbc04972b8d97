"""The committed model serves, else the one before, else the factory's: never a mixture."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gustbed_edge import models
from gustbed_edge.models import (
    Loaded,
    ModelStore,
    check_package,
    load_challengers,
    load_factory,
    load_serving,
)
from gustbed_protocol.jobs import PACKAGE_FILE, RELEASE_FILE, Signature
from gustbed_protocol.package import PackageError
from gustbed_protocol.telemetry import MINI
from tests.support.packages import (
    MILL,
    Signed,
    SigningKey,
    mill_package,
    sign_package,
    tiny_package,
    write_factory,
)

KEY = SigningKey("k1")
KEYS = {"k1": KEY.private.public_key()}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def sign(tmp_path: Path) -> Callable[[str], Signed]:
    return lambda version: sign_package(tiny_package(version), KEY, tmp_path / "packages")


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    own = SigningKey("factory")
    signed = sign_package(tiny_package("0.9.0"), own, tmp_path / "packages")
    return write_factory(tmp_path / "factory", signed, own)


def commit(store: ModelStore, signed: Signed, job: str = "job") -> None:
    store.commit(MINI, store.stage(signed.release, signed.signature, signed.archive, job))


def version(loaded: Mapping[str, Loaded], kind: str = MINI) -> str | None:
    return loaded[kind].release.version if kind in loaded else None


def test_o8_the_committed_model_serves_after_a_restart(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"
    commit(store, sign("1.0.0"))
    commit(store, sign("1.1.0"))
    restarted = ModelStore(tmp_path / "models")
    assert version(load_serving(restarted, KEYS, factory)) == "1.1.0"


def test_o1_a_staged_model_does_not_serve(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path
) -> None:
    commit(store, sign("1.0.0"))
    staged = sign("1.1.0")
    store.stage(staged.release, staged.signature, staged.archive, "job")
    assert version(load_serving(store, KEYS, factory)) == "1.0.0"


@pytest.mark.parametrize("crash_in", ["write_atomic", "sync_folder"])
def test_o1_a_kill_while_staging_or_committing_leaves_old_or_new(
    crash_in: str,
    store: ModelStore,
    sign: Callable[[str], Signed],
    factory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(store, sign("1.0.0"))
    signed = sign("1.1.0")
    real = getattr(models, crash_in)
    for survivors in range(6):
        left = survivors

        def die(*arguments: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(models, crash_in, die)
            try:
                commit(ModelStore(tmp_path / "models"), signed)
            except KeyboardInterrupt:
                pass
            else:
                break
        after = ModelStore(tmp_path / "models")
        assert version(load_serving(after, KEYS, factory)) in ("1.0.0", "1.1.0")
    assert version(load_serving(ModelStore(tmp_path / "models"), KEYS, factory)) == "1.1.0"


@pytest.mark.parametrize("file", [PACKAGE_FILE, RELEASE_FILE])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone"])
def test_a_damaged_slot_gives_way_to_the_one_before(
    file: str,
    damage: str,
    store: ModelStore,
    sign: Callable[[str], Signed],
    factory: Path,
    tmp_path: Path,
) -> None:
    commit(store, sign("1.0.0"))
    commit(store, sign("1.1.0"))
    path = tmp_path / "models" / "tiny-1.1.0" / file
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "gone":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(data[:middle])
    else:
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    assert version(load_serving(store, KEYS, factory)) == "1.0.0"


def test_with_both_slots_gone_the_factory_model_serves(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    commit(store, sign("1.1.0"))
    for slot in ("tiny-1.0.0", "tiny-1.1.0"):
        (tmp_path / "models" / slot / PACKAGE_FILE).unlink()
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"types": 5}', b'{"types": {"mini": {"current": {"name": "x"}}}}']
)
def test_an_unreadable_pointer_leads_to_the_factory_model(
    content: bytes, store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    (tmp_path / "models" / models.POINTER).write_bytes(content)
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "UPPER"])
def test_s5_a_pointer_that_leads_elsewhere_is_not_followed(
    name: str, store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    path = tmp_path / "models" / models.POINTER
    pointer = json.loads(path.read_text())
    pointer["types"][MINI]["current"]["name"] = name
    path.write_text(json.dumps(pointer))
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


def test_a_committed_model_whose_key_is_no_longer_trusted_does_not_serve(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path
) -> None:
    commit(store, sign("1.0.0"))
    assert version(load_serving(store, {}, factory)) == "0.9.0"


def test_without_any_model_there_is_none_and_the_log_says_so(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_serving(store, KEYS, tmp_path / "nowhere") == {}
    assert "nowhere" in caplog.text


def test_a_factory_model_signed_by_another_key_does_not_load(
    factory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (factory / "tiny" / models.FACTORY_KEY).write_bytes(KEY.public_pem())
    assert load_factory(factory) == {}
    assert "does not verify" in caplog.text


def test_only_the_current_slot_and_the_one_before_are_kept(
    store: ModelStore, sign: Callable[[str], Signed], tmp_path: Path
) -> None:
    for number in range(5):
        commit(store, sign(f"1.{number}.0"))
    slots = sorted(path.name for path in (tmp_path / "models").iterdir() if path.is_dir())
    assert slots == ["tiny-1.3.0", "tiny-1.4.0"]


def test_committing_the_same_version_again_keeps_the_one_before(
    store: ModelStore, sign: Callable[[str], Signed]
) -> None:
    for number in ("1.0.0", "1.1.0", "1.1.0"):
        commit(store, sign(number))
    previous = store.committed()[MINI].previous
    assert previous is not None
    assert previous.version == "1.0.0"


def test_what_a_killed_update_left_behind_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "models" / ".tiny-1.0.0").mkdir(parents=True)
    (tmp_path / "models" / ".tiny-1.0.0" / "package.tar.gz").write_bytes(b"half")
    ModelStore(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def refusal(signed: Signed, signature: Signature | None = None) -> str:
    with pytest.raises(PackageError) as refused:
        check_package(signed.release, signature or signed.signature, signed.archive, KEYS)
    return refused.value.reason


def test_o2_an_unsigned_package_is_refused(sign: Callable[[str], Signed]) -> None:
    assert refusal(sign("1.0.0"), Signature("", "k1")) == "unsigned"


def test_o2_a_wrongly_signed_package_is_refused(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    stranger = SigningKey("k1")
    assert refusal(signed, stranger.sign(signed.release)) == "bad_signature"
    assert refusal(signed, SigningKey("k2").sign(signed.release)) == "unknown_key"
    assert refusal(signed, Signature("not base64!", "k1")) == "bad_signature"
    assert refusal(signed, sign("1.1.0").signature) == "bad_signature"


def test_a_key_named_by_arn_is_found(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    by_arn = Signature(signed.signature.value, "arn:aws:kms:eu-central-1:000000000000:key/k1")
    check_package(signed.release, by_arn, signed.archive, KEYS)


def test_o2_a_truncated_package_is_refused(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    assert refusal(Signed(signed.release, signed.signature, signed.archive[:-1])) == "wrong_size"


def test_o2_a_bit_flipped_package_is_refused(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    flipped = bytes([signed.archive[0] ^ 1]) + signed.archive[1:]
    assert refusal(Signed(signed.release, signed.signature, flipped)) == "wrong_digest"


def test_a_package_of_another_version_than_released_is_refused(tmp_path: Path) -> None:
    signed = sign_package(tiny_package("1.0.0"), KEY, tmp_path, version="2.0.0")
    assert refusal(signed) == "wrong_manifest"


# Several types


def shadow(store: ModelStore, signed: Signed, kind: str = MINI) -> None:
    store.challenge(kind, store.stage(signed.release, signed.signature, signed.archive, "job"))


def mill(tmp_path: Path, number: str, **changes: object) -> Signed:
    return sign_package(mill_package(number), KEY, tmp_path / "packages", **changes)


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


def test_a_challenger_has_its_own_slot_and_outlives_a_restart(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    for number in ("1.1.0", "1.2.0"):
        shadow(store, sign_shadow(tmp_path, number))
    assert slots(tmp_path) == ["tiny-1.0.0", "tiny-1.2.0-shadow"]
    restarted = ModelStore(tmp_path / "models")
    serving = load_serving(restarted, KEYS, factory)
    assert version(serving) == "1.0.0"
    assert version(load_challengers(restarted, KEYS, serving)) == "1.2.0"
    assert load_challengers(restarted, KEYS, {}) == {}


def test_a_challenger_at_another_rate_than_the_model_that_serves_stays_away(
    store: ModelStore, factory: Path, tmp_path: Path
) -> None:
    package = tiny_package("1.1.0", rate=10.0)
    shadow(store, sign_package(package, KEY, tmp_path / "packages", role="shadow"))
    assert load_challengers(store, KEYS, load_serving(store, KEYS, factory)) == {}


def sign_shadow(tmp_path: Path, number: str) -> Signed:
    return sign_package(tiny_package(number), KEY, tmp_path / "packages", role="shadow")


@pytest.mark.parametrize(
    ("number", "remains"), [("1.0.5", True), ("1.1.0", False), ("1.2.0", False)]
)
def test_a_challenger_goes_once_a_model_that_is_not_older_serves(
    number: str, remains: bool, store: ModelStore, sign: Callable[[str], Signed], tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    shadow(store, sign_shadow(tmp_path, "1.1.0"))
    commit(store, sign(number))
    assert (store.committed()[MINI].challenger is not None) == remains
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


@pytest.mark.parametrize("crash_in", ["write_atomic", "sync_folder"])
def test_o1_a_kill_while_a_challenger_is_promoted_leaves_the_old_or_the_new_model(
    crash_in: str,
    store: ModelStore,
    sign: Callable[[str], Signed],
    factory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(store, sign("1.0.0"))
    shadow(store, sign_shadow(tmp_path, "1.1.0"))
    real = getattr(models, crash_in)
    seen = set()
    for survivors in range(6):
        left = survivors

        def die(*arguments: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(models, crash_in, die)
            try:
                commit(ModelStore(tmp_path / "models"), sign("1.1.0"))
            except KeyboardInterrupt:
                pass
            else:
                break
        after = ModelStore(tmp_path / "models")
        serving = load_serving(after, KEYS, factory)
        seen.add((version(serving), version(load_challengers(after, KEYS, serving))))
    assert seen == {("1.0.0", "1.1.0")}
    assert version(load_serving(ModelStore(tmp_path / "models"), KEYS, factory)) == "1.1.0"
    assert store.committed()[MINI].challenger is None
