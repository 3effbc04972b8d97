"""What the environment says is to be deployed."""

from gustbed_cloud.aws import Session
from gustbed_cloud.deploy import Plan, make_plan
from gustbed_cloud.settings import CloudSettings, EndpointSettings
from gustbed_core.settings import SiteSettings, load


def configured_plan(session: Session) -> Plan:
    """The plan that ``GUSTBED_*`` and ``AWS_*`` describe. Raises ``GustbedError``."""
    settings = load(CloudSettings)
    return make_plan(
        session,
        settings.stack,
        settings.cloud_dir,
        sagemaker_endpoint=load(EndpointSettings).sagemaker,
        types_dir=load(SiteSettings).types_dir,
        chosen=settings.parameters(),
    )
