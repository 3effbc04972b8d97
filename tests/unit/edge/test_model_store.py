"""The committed model serves, else the one before, else the factory's: never a mixture."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gustbed_core.jobs import PACKAGE_FILE, RELEASE_FILE, Signature
from gustbed_core.package import PackageError
from gustbed_core.telemetry import MINI
from gustbed_edge.models import store as models
from gustbed_edge.models.loading import check_package, load_factory, load_serving
from gustbed_edge.models.store import ModelStore
from tests.support.packages import Signed, SigningKey, sign_package, tiny_package
from tests.unit.edge.committing import KEY, KEYS, commit, kills, version


@pytest.mark.promise("O8")
def test_the_committed_model_serves_after_a_restart(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"
    commit(store, sign("1.0.0"))
    commit(store, sign("1.1.0"))
    restarted = ModelStore(tmp_path / "models")
    assert version(load_serving(restarted, KEYS, factory)) == "1.1.0"


@pytest.mark.promise("O1")
def test_a_staged_model_does_not_serve(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path
) -> None:
    commit(store, sign("1.0.0"))
    staged = sign("1.1.0")
    store.stage(staged.release, staged.signature, staged.archive, "job")
    assert version(load_serving(store, KEYS, factory)) == "1.0.0"


@pytest.mark.promise("O1")
@pytest.mark.parametrize("crash_in", ["write_atomic", "sync_folder"])
def test_a_kill_while_staging_or_committing_leaves_old_or_new(
    crash_in: str,
    store: ModelStore,
    sign: Callable[[str], Signed],
    factory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commit(store, sign("1.0.0"))
    signed = sign("1.1.0")
    for after in kills(
        crash_in, lambda killed: commit(killed, signed), tmp_path / "models", monkeypatch
    ):
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


@pytest.mark.promise("S5")
@pytest.mark.parametrize("name", ["../../etc", "a/b", "", "UPPER"])
def test_a_pointer_that_leads_elsewhere_is_not_followed(
    name: str, store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    path = tmp_path / "models" / models.POINTER
    pointer = json.loads(path.read_text())
    pointer["types"][MINI]["current"]["name"] = name
    path.write_text(json.dumps(pointer))
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


@pytest.mark.promise("O8")
@pytest.mark.parametrize("kept", [True, False])
def test_a_committed_model_whose_key_is_no_longer_trusted_goes_on(
    kept: bool, store: ModelStore, sign: Callable[[str], Signed], factory: Path
) -> None:
    """Also one that was installed by a version that kept no keys, once that has been seen."""
    signed = sign("1.0.0")
    key = KEY.public_pem() if kept else None
    slot = store.stage(signed.release, signed.signature, signed.archive, "job", key)
    store.commit(MINI, slot)
    assert version(load_serving(store, {}, factory)) == "1.0.0"
    assert version(load_serving(store, KEYS, factory)) == "1.0.0"
    assert store.key_path(slot).read_bytes() == KEY.public_pem()
    other = {"k2": SigningKey("k2").private.public_key()}
    assert version(load_serving(store, other, factory)) == "1.0.0"


@pytest.mark.parametrize("field", ["version", "sha256", "role"])
def test_a_slot_without_a_key_must_be_what_the_pointer_names(
    field: str, store: ModelStore, sign: Callable[[str], Signed], factory: Path, tmp_path: Path
) -> None:
    commit(store, sign("1.0.0"))
    path = tmp_path / "models" / "tiny-1.0.0" / RELEASE_FILE
    content = json.loads(path.read_text())
    content["release"][field] = {"version": "1.0.1", "sha256": "0" * 64, "role": "shadow"}[field]
    path.write_text(json.dumps(content))
    assert version(load_serving(store, {}, factory)) == "0.9.0"


def test_a_slot_that_its_kept_key_does_not_fit_does_not_serve(
    store: ModelStore, sign: Callable[[str], Signed], factory: Path
) -> None:
    signed = sign("1.0.0")
    stranger = SigningKey("k1").public_pem()
    slot = store.stage(signed.release, signed.signature, signed.archive, "job", stranger)
    store.commit(MINI, slot)
    assert version(load_serving(store, KEYS, factory)) == "0.9.0"


def test_without_any_model_there_is_none_and_the_log_says_so(
    store: ModelStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_serving(store, KEYS, tmp_path / "nowhere") == {}
    assert "nowhere" in caplog.text


def test_a_factory_model_signed_by_another_key_does_not_load(
    factory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (factory / "tiny" / models.SIGNING_KEY).write_bytes(KEY.public_pem())
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


@pytest.mark.promise("O2")
def test_an_unsigned_package_is_refused(sign: Callable[[str], Signed]) -> None:
    assert refusal(sign("1.0.0"), Signature("", "k1")) == "unsigned"


@pytest.mark.promise("O2")
def test_a_wrongly_signed_package_is_refused(sign: Callable[[str], Signed]) -> None:
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


@pytest.mark.promise("O2")
def test_a_truncated_package_is_refused(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    assert refusal(Signed(signed.release, signed.signature, signed.archive[:-1])) == "wrong_size"


@pytest.mark.promise("O2")
def test_a_bit_flipped_package_is_refused(sign: Callable[[str], Signed]) -> None:
    signed = sign("1.0.0")
    flipped = bytes([signed.archive[0] ^ 1]) + signed.archive[1:]
    assert refusal(Signed(signed.release, signed.signature, flipped)) == "wrong_digest"


def test_a_package_of_another_version_than_released_is_refused(tmp_path: Path) -> None:
    signed = sign_package(tiny_package("1.0.0"), KEY, tmp_path, version="2.0.0")
    assert refusal(signed) == "wrong_manifest"
