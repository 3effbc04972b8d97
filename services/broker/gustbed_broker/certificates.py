"""The site's own CA, and what it signs: the broker's certificate and those of its clients."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gustbed_broker.files import write_private
from gustbed_core.errors import GustbedError
from gustbed_core.site_directory import CA

SERVER, SERVER_KEY = "server.pem", "server.key"
_CA_KEY = "site-ca.key"
CA_DAYS = 20 * 365
LEAF_DAYS = 5 * 365
RENEW_DAYS = 365
"""A certificate that ends sooner than that is made anew."""
OWN_NAMES = ("localhost", "127.0.0.1", "::1", "broker")
"""By which processes of this machine and containers of this site call the broker."""


@dataclass(frozen=True, slots=True)
class SiteCa:
    """The CA of one site. ``path`` is its certificate's."""

    path: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_ca(folder: Path, site: str, now: datetime, *, renew: bool = False) -> SiteCa:
    """The CA in ``folder``; made if there is none. Raises ``GustbedError`` if it cannot be used."""
    path, key_path = folder / CA, folder / _CA_KEY
    if not renew and path.exists() and key_path.exists():
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        except ValueError as error:
            raise GustbedError(
                f"{path}, {key_path}: {error}", "make it anew: --renew-ca"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not _belongs(certificate, key):
            raise GustbedError(f"{key_path}: not the key of {path}", "make it anew: --renew-ca")
        if _days_left(certificate, now) > 0:
            return SiteCa(path, certificate, key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Gustbed site {site}")
    certificate = (
        _builder(name, name, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _key_pem(key))
    write_private(path, _pem(certificate))
    return SiteCa(path, certificate, key)


def ensure_server(folder: Path, ca: SiteCa, names: Iterable[str], now: datetime) -> None:
    """Certificate and key of the broker, made anew when names or CA change or the end is near.

    Raises ``GustbedError`` for a name that no certificate can have.
    """
    wanted = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
    path = folder / SERVER
    if not _is_good(path, folder / SERVER_KEY, ca, now, wanted):
        _issue(path, folder / SERVER_KEY, ca, "gustbed-broker", now, wanted)


def ensure_client(folder: Path, ca: SiteCa, user: str, now: datetime) -> None:
    """Certificate and key of a broker user, as ``<user>.pem`` and ``<user>.key``."""
    path, key_path = folder / f"{user}.pem", folder / f"{user}.key"
    if not _is_good(path, key_path, ca, now, None):
        _issue(path, key_path, ca, user, now, None)


def _issue(
    path: Path,
    key_path: Path,
    ca: SiteCa,
    user: str,
    now: datetime,
    names: x509.SubjectAlternativeName | None,
) -> None:
    """Of the broker if it has names, else of a client: neither can pass for the other."""
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
    signer = x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key())
    builder = (
        _builder(_name(user), ca.certificate.subject, key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False
        )
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(ca.key, hashes.SHA256())
    write_private(key_path, _key_pem(key))
    write_private(path, _pem(certificate))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back: the clock of a client may be behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(identifier, critical=False)
    )


def _is_good(
    path: Path,
    key_path: Path,
    ca: SiteCa,
    now: datetime,
    names: x509.SubjectAlternativeName | None,
) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        certificate.verify_directly_issued_by(ca.certificate)
        if names is not None:
            kind = x509.SubjectAlternativeName
            if certificate.extensions.get_extension_for_class(kind).value != names:
                return False
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is made anew
        return False
    return _belongs(certificate, key) and _days_left(certificate, now) > RENEW_DAYS


def _belongs(certificate: x509.Certificate, key: object) -> bool:
    return (
        isinstance(key, ec.EllipticCurvePrivateKey) and certificate.public_key() == key.public_key()
    )


def _days_left(certificate: x509.Certificate, now: datetime) -> float:
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise GustbedError(
            f"name {name!r} of the broker", "give host names in ASCII, or addresses"
        ) from error


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def utc_now() -> datetime:
    """The time, as certificates want it."""
    return datetime.now(UTC)
