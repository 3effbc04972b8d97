"""Decide on registered versions: approve, put in shadow, promote, reject.

An approval's note is one word of ``models.ROLLBACK``, ``models.SHADOW`` and others, which
model_packager reads, and the reason of a version that did not pass its quality gate.
"""

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import (
    ROLLBACK,
    SHADOW,
    Approval,
    ModelVersion,
    describe,
    despite,
    find_model,
    first_word,
)
from gustbed_core.errors import GustbedError


def approve_model(
    cloud: Cloud, name: str, version: str, *, rollback: bool = False, shadow: bool = False
) -> ModelVersion:
    """Approve a version: it is packaged, signed and rolled out.

    ``rollback`` says that it is meant to replace a newer one, ``shadow`` that it is to run beside
    the serving one. A version that is approved for that already stays as it is, unless it is to
    be rolled back to. Raises ``GustbedError`` if the version is not registered, or has the other
    role.
    """
    if rollback and shadow:
        raise GustbedError("a shadow replaces no version", "ask for a rollback or for a shadow")
    known = find_model(cloud, name, version)
    if shadow and known.role == "serve":
        raise GustbedError(f"{name} {version} serves already", "put another version in shadow")
    if not shadow and known.role == "shadow":
        raise GustbedError(f"{name} {version} runs in shadow", "promote it to let it serve")
    if known.status == "Approved" and not rollback:
        return known
    word = ROLLBACK if rollback else SHADOW if shadow else "approved"
    return _decide(cloud, known, "Approved", word)


def promote_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Let a version serve that runs in shadow. Raises ``GustbedError`` if it does not."""
    known = find_model(cloud, name, version)
    if first_word(known.note) != SHADOW:
        raise GustbedError(
            f"{name} {version} is not in shadow ({known.status})", "approve it as a shadow first"
        )
    return _decide(cloud, known, "Approved", "promoted")


def reject_model(cloud: Cloud, name: str, version: str) -> ModelVersion:
    """Reject a version. A rollout that has begun goes on."""
    return _decide(cloud, find_model(cloud, name, version), "Rejected", "rejected")


@readable_errors()
def _decide(cloud: Cloud, known: ModelVersion, status: Approval, word: str) -> ModelVersion:
    sagemaker = cloud.client("sagemaker")
    properties = sagemaker.describe_model_package(ModelPackageName=known.arn).get(
        "CustomerMetadataProperties"
    )
    # The local registry forgets the properties that an update does not repeat.
    kept = {"CustomerMetadataProperties": properties} if properties else {}
    if known.status == status == "Approved":
        # Only a change of the status is announced, so that an approval for something else is
        # withdrawn first. Should it end here, the note still says what the version was.
        sagemaker.update_model_package(
            ModelPackageArn=known.arn,
            ModelApprovalStatus="Rejected",
            ApprovalDescription=known.note,
            **kept,
        )
    sagemaker.update_model_package(
        ModelPackageArn=known.arn,
        ModelApprovalStatus=status,
        ApprovalDescription=f"{word}{despite(known.despite_gate)}",
        **kept,
    )
    return describe(sagemaker, known.arn)
