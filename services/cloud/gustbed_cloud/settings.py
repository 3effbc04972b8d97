"""Settings of the cloud side."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gustbed_core.errors import GustbedError
from gustbed_core.gate_report import PUBLIC_KEYS
from gustbed_core.settings import section

MAX_STACK = 24
"""Characters: S3 takes 63 of `<stack>-artifacts-<12 digits>-<region>`, a region's name up to 15."""
_STACK = re.compile(rf"[a-z](?:[a-z0-9-]{{0,{MAX_STACK - 2}}}[a-z0-9])?")


class CloudSettings(BaseSettings):
    """Which stack this is, and where its sources and the devices' requests lie."""

    model_config = section("GUSTBED_")

    stack: str = Field("gustbed", description="CloudFormation stack name; resources start with it")
    enrol_dir: Path = Field(Path(".gustbed/enrol"), description="folder of enrolment requests")
    enrol: Literal["site", "any"] = Field(
        "site",
        description="whom `provision` enrols without an operator: this site's edge, once; or any "
        "edge, though its key has changed or the cloud has lost it",
    )
    deploy: bool = Field(
        False, description="whether `provision` deploys the stack, or only enrols devices"
    )
    stack_parameters: str = Field(
        "", description="parameters of stack.yaml: AlertEmail=ops@example.org,LogRetentionDays=60"
    )
    cloud_dir: Path = Field(
        Path(__file__).resolve().parent,
        description="folder that holds stack.yaml and functions/",
    )

    pipeline_keys: Path = Field(
        Path(".gustbed") / PUBLIC_KEYS,
        description="folder of public keys whose pipelines' word on a quality gate counts",
    )
    rebuild: bool = Field(
        False, description="whether a stack that lost parts, or a lost rollout, may be made anew"
    )

    problem_file: Path | None = Field(
        None, description="where `provision --watch` says what is wrong: empty while all is well"
    )

    def parameters(self) -> dict[str, str]:
        """The stack's parameters that somebody has chosen. Raises ``GustbedError``."""
        chosen: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in self.stack_parameters.split(","))):
            name, equals, value = part.partition("=")
            if not equals or not name.strip().isalnum():
                raise GustbedError(
                    f"GUSTBED_STACK_PARAMETERS: {part!r}", "use Name=value, with commas between"
                )
            chosen[name.strip()] = value.strip()
        return chosen

    @field_validator("stack")
    @classmethod
    def _can_name_a_bucket(cls, value: str) -> str:
        if not _STACK.fullmatch(value):
            raise ValueError(
                f"use 1 to {MAX_STACK} of a-z, 0-9 and '-', a letter first and no '-' last"
            )
        return value


class IotSettings(BaseSettings):
    """Where devices connect, when ``DescribeEndpoint`` is not it."""

    model_config = section("GUSTBED_IOT_")

    host: str | None = Field(None, description="host name that the server's certificate shows")
    port: int = Field(8883, ge=1, le=65535)
    ca_url: str | None = Field(
        None, description="where to fetch the server's CA, if the system's roots do not do"
    )


class EndpointSettings(BaseSettings):
    """The standard SDK variables that functions must learn of at deployment."""

    model_config = section("AWS_ENDPOINT_URL_")

    sagemaker: str = Field("", description="where the model registry answers, if not at AWS")
