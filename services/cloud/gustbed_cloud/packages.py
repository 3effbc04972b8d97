"""Registered packages, back from the artifact bucket."""

from pathlib import Path
from urllib.parse import urlsplit

from gustbed_cloud.aws import readable_errors
from gustbed_cloud.client import Cloud
from gustbed_cloud.models import ModelVersion, find_model, list_models, serving_model
from gustbed_cloud.s3_files import fetch_object, read_object
from gustbed_core.package import MAX_PACKAGE_BYTES, read_package


@readable_errors()
def fetch_package(cloud: Cloud, name: str, version: str, folder: Path) -> Path:
    """Download a version as ``<folder>/<name>-<version>.tar.gz``, and return that path.

    Its content is not looked at. Raises ``GustbedError`` if the version is not registered.
    """
    return _fetch(cloud, find_model(cloud, name, version), folder)


@readable_errors()
def approved_package(cloud: Cloud, name: str, folder: Path) -> Path | None:
    """Download the version that is to serve, newest approval or rollback; None if there is none."""
    serving = serving_model(list_models(cloud, name))
    return _fetch(cloud, serving, folder) if serving else None


@readable_errors()
def model_card(cloud: Cloud, name: str, version: str) -> str:
    """Return a version's model card, Markdown. Raises ``PackageError`` if it cannot be read."""
    bucket, key = _place(find_model(cloud, name, version))
    return read_package(read_object(cloud.client("s3"), bucket, key, MAX_PACKAGE_BYTES)).card


def _fetch(cloud: Cloud, model: ModelVersion, folder: Path) -> Path:
    path = folder / f"{model.name}-{model.version}.tar.gz"
    fetch_object(cloud.client("s3"), *_place(model), path)
    return path


def _place(model: ModelVersion) -> tuple[str, str]:
    url = urlsplit(model.url)
    return url.netloc, url.path.lstrip("/")
