"""DeleteModelPackage and DeleteModelPackageGroup, which moto's SageMaker lacks."""

import json
from collections.abc import Callable, Iterable
from typing import Any

ACTIONS = ("DeleteModelPackage", "DeleteModelPackageGroup")
App = Callable[..., Iterable[bytes]]


def with_deletions(app: App, models: Any, account: str) -> App:
    """Answer deletions from moto's memory, and hand everything else to ``app``."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        if action not in ACTIONS:
            return app(environ, start_response)
        body = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        region = environ["HTTP_AUTHORIZATION"].split("/")[2]
        refusal = _delete(models.sagemaker_backends[account][region], action, body)
        status = "400 Bad Request" if refusal else "200 OK"
        content = {"__type": "ValidationException", "message": refusal} if refusal else {}
        start_response(status, [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(content).encode()]

    return answer


def _delete(backend: Any, action: str, body: dict[str, Any]) -> str | None:
    """Delete, or say why not."""
    if action == "DeleteModelPackage":
        name = body.get("ModelPackageName", "")
        arn = backend.model_package_name_mapping.get(name, name)
        if backend.model_packages.pop(arn, None) is None:
            return f"Model package {name} not found"
        mapping = backend.model_package_name_mapping
        for each in [each for each, target in mapping.items() if target == arn]:
            del mapping[each]
        return None
    group = body.get("ModelPackageGroupName", "")
    if group not in backend.model_package_groups:
        return f"ModelPackageGroup {group} does not exist."
    if any(each.model_package_group_name == group for each in backend.model_packages.values()):
        return f"ModelPackageGroup {group} still holds model packages"
    del backend.model_package_groups[group]
    return None
