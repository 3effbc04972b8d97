"""From which hosts packages come: those of the SDK's own addresses of the artifact bucket."""

from urllib.parse import urlsplit

from botocore.config import Config

from gustbed_cloud.aws import Session


def download_hosts(session: Session, bucket: str, iot_host: str | None = None) -> tuple[str, ...]:
    """Hosts, with a port if the address has one, of presigned URLs of ``bucket``.

    Virtual-hosted and path-style, for AWS IoT may sign either. Where devices are told an
    ``iot_host`` of their own, S3 is also reached under that name, on its own port.
    """
    hosts = set()
    for style in ("virtual", "path"):
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
        )
        s3 = session.boto.client("s3", config=config)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
        parts = urlsplit(url)
        hosts.add(parts.netloc.lower())
        if iot_host:
            hosts.add(iot_host.lower() + (f":{parts.port}" if parts.port else ""))
    return tuple(sorted(hosts))
