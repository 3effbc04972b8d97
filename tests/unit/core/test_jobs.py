"""Job documents and releases: where they lie, and what is refused when they are read."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from gustbed_core.errors import GustbedError
from gustbed_core.jobs import (
    DocumentError,
    JobDocument,
    Release,
    Signature,
    job_key,
    read_job_document,
    release_from_json,
    release_key,
    release_to_json,
)

RELEASE = Release("windturbine", "1.2.0", 1, "0" * 64, True, "shadow", 7, 100, 200, "gustbed-edges")
DOCUMENT = JobDocument(RELEASE, "https://x", Signature("c2ln", "key-1"), rollout="r-7")


def test_every_rollout_of_a_version_has_a_document_and_all_one_package() -> None:
    assert job_key(DOCUMENT) == "releases/windturbine/1.2.0/r-7/job.json"
    assert release_key("windturbine", "1.2.0") == "releases/windturbine/1.2.0/package.tar.gz"


def test_document_reads_back_as_it_was_written() -> None:
    assert read_job_document(json.loads(json.dumps(asdict(DOCUMENT)))) == DOCUMENT


def test_document_of_an_earlier_version_names_no_rollout() -> None:
    content = asdict(DOCUMENT)
    del content["rollout"]
    for name in ("sequence", "issued", "expires", "target"):
        del content["release"][name]
    found = read_job_document(content | {"schema": 1})
    assert (found.rollout, found.release.is_order, found.schema) == ("", False, 1)


def test_what_is_no_order_is_signed_as_by_earlier_versions() -> None:
    at_rest = Release("windturbine", "1.2.0", 1, "0")
    assert at_rest.statement() == (
        b'{"name":"windturbine","role":"serve","rollback":false,"sha256":"0","size":1,'
        b'"version":"1.2.0"}'
    )
    for name, value in (("sequence", 1), ("issued", 1), ("expires", 1), ("target", "x")):
        order = replace(at_rest, **{name: value})  # type: ignore[arg-type]
        assert f'"{name}"'.encode() in order.statement()
        assert order.digest() != at_rest.digest()


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"schema": 3}, "wrong_schema", "3"),
        ({"operation": "format_disk"}, "wrong_operation", "format_disk"),
        ({"schema": "1"}, "bad_document", "schema"),
        ({"url": None}, "bad_document", "url"),
        ({"release": []}, "bad_document", "release"),
        ({"release": asdict(RELEASE) | {"role": "king"}}, "bad_document", "release.role"),
        ({"release": asdict(RELEASE) | {"rollback": 1}}, "bad_document", "release.rollback"),
        ({"release": asdict(RELEASE) | {"size": True}}, "bad_document", "release.size"),
        ({"signature": {"value": "c2ln"}}, "bad_document", "signature.key_id"),
    ],
)
def test_document_that_is_none_names_the_field(
    changes: dict[str, Any], reason: str, named: str
) -> None:
    with pytest.raises(DocumentError, match=named) as refused:
        read_job_document(asdict(DOCUMENT) | changes)
    assert refused.value.reason == reason


def test_signed_release_reads_back_and_a_wrong_one_is_refused() -> None:
    data = release_to_json(RELEASE, DOCUMENT.signature)
    assert release_from_json(data) == (RELEASE, DOCUMENT.signature)
    for wrong in (b"", b"[]", b"{}", data.replace(b'"size": 1', b'"size": "1"')):
        with pytest.raises(GustbedError, match=r"release\.json"):
            release_from_json(wrong)
