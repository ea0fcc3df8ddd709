"""0x29 Authentication: access for the owner of a certificate, by challenge and response (unidirectional, asymmetric, with PKI).

The certificate is an X.509 one in DER with an Ed25519 key, issued directly by the trust anchor, and for no other certificate. Its
one organizational unit (OU) is the name of the access level that it gives: read, calibrate, actuate or flash. Ownership is
proved by an Ed25519 signature over ``proof_of_ownership_text``. Access ends with the session, like that of a key.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hil.diagnostics.lock import LEVELS
from hil.diagnostics.protocol import LONGEST, NOT_DEFAULT, Access, Code, NegativeResponseError, Request, Rule, Service, Tester
from hil.errors import UsageError

ANCHOR_FILE = "authentication_anchor.pem"
DE_AUTHENTICATE, VERIFY_CERTIFICATE, PROOF_OF_OWNERSHIP, CONFIGURATION = 0x00, 0x01, 0x03, 0x08
# Return values, ISO 14229-1 table B.5.
WITH_CERTIFICATES, DE_AUTHENTICATED, OWNERSHIP_NECESSARY, OWNERSHIP_VERIFIED = 0x02, 0x10, 0x11, 0x12
CHALLENGE_SIZE = 32  # bytes
CHALLENGE_TIME = 10.0  # [s] for which a challenge is good
NO_KEY = bytes(2)  # length of a key that is not there: nothing is encrypted
ROLES = {level.name.lower(): level for level in LEVELS}


def proof_of_ownership_text(tester: str, challenge: bytes) -> bytes:
    """What the tester of this name signs."""
    return b"e4hil proof of ownership " + tester.encode() + challenge


def read_anchor(path: Path) -> x509.Certificate | None:
    """The certificate of the authority whose certificates are accepted; None if there is no file.

    Raises UsageError if the file is no such certificate.
    """
    try:
        anchor = x509.load_pem_x509_certificate(path.read_bytes())
        is_authority = anchor.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # whatever the library raises
        raise UsageError(f"{path}: is no certificate of an authority in PEM: {error}") from error
    if not is_authority or not isinstance(anchor.public_key(), Ed25519PublicKey):
        raise UsageError(f"{path}: expected the certificate of an authority (basicConstraints CA:TRUE) with an Ed25519 key")
    return anchor


@dataclass(frozen=True)
class Challenge:
    """What waits for a signature."""

    key: Ed25519PublicKey
    role: Access
    value: bytes
    given: float  # [s]


def service(directory: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Service:
    """Authentication by certificates of the anchor in ``directory``; ``clock`` says when they are valid.

    Raises UsageError if the anchor is broken. Without one, nobody can authenticate.
    """
    authenticator = Authenticator(read_anchor(directory / ANCHOR_FILE), clock)
    rules = {
        DE_AUTHENTICATE: Rule("deAuthenticate", authenticator.end, 2, 2, NOT_DEFAULT),
        VERIFY_CERTIFICATE: Rule("verifyCertificateUnidirectional", authenticator.verify_certificate, 8, LONGEST, NOT_DEFAULT),
        PROOF_OF_OWNERSHIP: Rule("proofOfOwnership", authenticator.verify_ownership, 7, LONGEST, NOT_DEFAULT),
        CONFIGURATION: Rule("authenticationConfiguration", _configuration, 2, 2),
    }
    return Service(0x29, "Authentication", sub_functions=rules, audited=True)


class Authenticator:
    """Verifies certificates and who owns them."""

    def __init__(self, anchor: x509.Certificate | None, clock: Callable[[], datetime]) -> None:
        self._anchor = anchor
        self._clock = clock
        self._challenges: dict[Tester, Challenge] = {}

    def end(self, request: Request) -> bytes:
        """deAuthenticate: nothing is unlocked any more."""
        self._forget(request.tester)
        request.tester.access = Access.LOCKED
        return bytes([DE_AUTHENTICATE, DE_AUTHENTICATED])

    def verify_certificate(self, request: Request) -> bytes:
        """verifyCertificateUnidirectional: a challenge for the owner of a good certificate. Raises NegativeResponseError."""
        tester = request.tester
        certificate, _ = _fields(request.data[3:])
        if request.data[2] != 0x00:  # communicationConfiguration: nothing is encrypted
            raise NegativeResponseError(Code.REQUEST_OUT_OF_RANGE)
        if self._anchor is None:
            raise NegativeResponseError(Code.CONDITIONS_NOT_CORRECT)
        key, role = verify(certificate, self._anchor, self._clock())
        if self._forget not in tester.leaving:
            tester.leaving.append(self._forget)
        challenge = Challenge(key, role, secrets.token_bytes(CHALLENGE_SIZE), request.now)
        self._challenges[tester] = challenge
        return bytes([VERIFY_CERTIFICATE, OWNERSHIP_NECESSARY]) + CHALLENGE_SIZE.to_bytes(2) + challenge.value + NO_KEY

    def verify_ownership(self, request: Request) -> bytes:
        """proofOfOwnership: access for who has signed the challenge that he was given last. Raises NegativeResponseError."""
        tester = request.tester
        proof, _ = _fields(request.data[2:])
        challenge = self._challenges.pop(tester, None)
        if challenge is None or request.now - challenge.given > CHALLENGE_TIME:
            raise NegativeResponseError(Code.REQUEST_SEQUENCE_ERROR)
        try:
            challenge.key.verify(proof, proof_of_ownership_text(tester.name, challenge.value))
        except InvalidSignature as error:
            raise NegativeResponseError(Code.OWNERSHIP_VERIFICATION_FAILED) from error
        tester.access = max(tester.access, challenge.role)
        return bytes([PROOF_OF_OWNERSHIP, OWNERSHIP_VERIFIED]) + NO_KEY

    def _forget(self, tester: Tester) -> None:
        self._challenges.pop(tester, None)


def _configuration(request: Request) -> bytes:
    return bytes([CONFIGURATION, WITH_CERTIFICATES])


def _fields(data: bytes) -> tuple[bytes, bytes]:
    """The two fields of a request, each after its length in two bytes. Raises NegativeResponseError."""
    first_size = int.from_bytes(data[:2])
    first, rest = data[2 : 2 + first_size], data[2 + first_size :]
    second_size = int.from_bytes(rest[:2])
    if not first_size or len(rest) != 2 + second_size:
        raise NegativeResponseError(Code.INCORRECT_LENGTH)
    return first, rest[2:]


def verify(certificate: bytes, anchor: x509.Certificate, now: datetime) -> tuple[Ed25519PublicKey, Access]:
    """The key of a certificate and the access that it gives. Raises NegativeResponseError if it is not good."""
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key, issuer, subject, extensions = parsed.public_key(), parsed.issuer, parsed.subject, list(parsed.extensions)
    except Exception as error:  # whatever the library raises about bytes of strangers
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_FORMAT) from error
    if not isinstance(key, Ed25519PublicKey):
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_FORMAT)
    if issuer != anchor.subject:
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_CHAIN_OF_TRUST)
    try:
        parsed.verify_directly_issued_by(anchor)
    except Exception as error:  # a signature that is wrong, or of another kind than the anchor's
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_SIGNATURE) from error
    if not all(not_before <= now <= not_after for not_before, not_after in map(_validity, (parsed, anchor))):
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_TIME_PERIOD)
    for extension in extensions:
        is_constraints = isinstance(extension.value, x509.BasicConstraints)
        if is_constraints and extension.value.ca:
            raise NegativeResponseError(Code.CERTIFICATE_INVALID_TYPE)
        is_usage = isinstance(extension.value, x509.KeyUsage)
        if is_usage and not extension.value.digital_signature:
            raise NegativeResponseError(Code.CERTIFICATE_INVALID_TYPE)
        if extension.critical and not is_constraints and not is_usage:
            raise NegativeResponseError(Code.CERTIFICATE_INVALID_CONTENT)  # what must be understood and is not
    units = [attribute.value for attribute in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)]
    if len(units) != 1 or units[0] not in ROLES:
        raise NegativeResponseError(Code.CERTIFICATE_INVALID_CONTENT)
    return key, ROLES[units[0]]


def _validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
