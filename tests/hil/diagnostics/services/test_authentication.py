"""0x29 Authentication with real certificates."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.diagnostics.lock import LEVELS
from hil.diagnostics.protocol import Access, NegativeResponseError, Session, Tester
from hil.diagnostics.services import authentication, diagnostic_session_control
from hil.diagnostics.services.authentication import ANCHOR_FILE, CHALLENGE_TIME, verify
from hil.errors import UsageError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AUTHORITY = "workshop"


def name(common, unit=None):
    units = [x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common), *units])


def certificate(
    *,
    key,
    issuer_key,
    role="calibrate",
    issuer=AUTHORITY,
    begin=-1,
    end=1,
    authority=False,
    usage=None,
    extra=None,
    common="somebody",
):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common, role))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begin))
        .not_valid_after(NOW + timedelta(days=end))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if usage is not None:
        others = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        signing = dict.fromkeys(("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        builder = builder.add_extension(x509.KeyUsage(digital_signature=usage, **others, **signing), critical=True)
    if extra:
        builder = builder.add_extension(extra, critical=True)
    return builder.sign(issuer_key, None if isinstance(issuer_key, Ed25519PrivateKey) else SHA256())


class Workshop:
    """An authority, and what it and its customers have."""

    def __init__(self, directory):
        self.key = Ed25519PrivateKey.generate()
        self.anchor = certificate(key=self.key, issuer_key=self.key, role=None, authority=True, common=AUTHORITY, end=9)
        self.customer = Ed25519PrivateKey.generate()
        (directory / ANCHOR_FILE).write_bytes(self.anchor.public_bytes(Encoding.PEM))

    def issue(self, **details):
        chosen = {"key": self.customer, "issuer_key": self.key, **details}
        return certificate(**chosen).public_bytes(Encoding.DER)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


@pytest.fixture
def server(server_of, tmp_path, workshop):
    return server_of(diagnostic_session_control.service(), authentication.service(tmp_path, lambda: NOW))


@pytest.fixture
def ask(server, tester):
    return lambda data, now=0.0: server.request(tester, bytes(data), now)


def present(encoded, challenge=b"", configuration=0):
    lengths = len(encoded).to_bytes(2), len(challenge).to_bytes(2)
    return bytes([0x29, 0x01, configuration]) + lengths[0] + encoded + lengths[1] + challenge


def prove(proof, key=b""):
    return b"\x29\x03" + len(proof).to_bytes(2) + proof + len(key).to_bytes(2) + key


def signed(workshop, answer, tester="0x797"):
    """The proof for the challenge in a positive answer."""
    assert answer[:5] == bytes.fromhex("69 01 11 00 20")
    assert answer[37:] == b"\0\0"
    return prove(workshop.customer.sign(b"e4hil proof of ownership " + tester.encode() + answer[5:37]))


@pytest.mark.parametrize("level", LEVELS)
def test_the_owner_of_a_certificate_has_the_access_of_its_role(ask, workshop, tester, level):
    proof = signed(workshop, ask(present(workshop.issue(role=level.name.lower()), challenge=b"c" * 16)))
    assert tester.access == Access.LOCKED
    assert ask(proof) == bytes.fromhex("69 03 12 00 00")
    assert tester.access == level
    assert ask(b"\x29\x00") == b"\x69\x00\x10"
    assert tester.access == Access.LOCKED


def test_a_lower_role_takes_no_access_away(ask, workshop, tester):
    tester.access = Access.FLASH
    ask(signed(workshop, ask(present(workshop.issue(role="read")))))
    assert tester.access == Access.FLASH


def test_the_configuration_is_asked_for_in_every_session(server):
    assert server.request(Tester("0x7E0"), b"\x29\x08", 0.0) == b"\x69\x08\x02"
    assert server.request(Tester("0x7E0"), b"\x29\x00", 0.0) == b"\x7f\x29\x7e"


def test_access_and_challenge_end_with_the_session(ask, workshop, tester):
    proof = signed(workshop, ask(present(workshop.issue())))
    ask(b"\x10\x03")
    assert ask(proof) == b"\x7f\x29\x24"
    ask(signed(workshop, ask(present(workshop.issue()))))
    ask(b"\x10\x02")
    assert (tester.session, tester.access) == (Session.PROGRAMMING, Access.LOCKED)


def test_a_challenge_is_good_once_for_a_short_time_and_for_one_tester(server, ask, workshop, tester):
    proof = signed(workshop, ask(present(workshop.issue())))
    other = Tester("0x7E0", Session.EXTENDED)
    assert server.request(other, proof, 0.0) == b"\x7f\x29\x24"
    server.request(other, present(workshop.issue()), 0.0)
    assert server.request(other, proof, 0.0) == b"\x7f\x29\x58"
    tester.last_heard = CHALLENGE_TIME  # the session has not ended
    assert ask(proof, CHALLENGE_TIME + 0.01) == b"\x7f\x29\x24"
    proof = signed(workshop, ask(present(workshop.issue())))
    ask(b"\x29\x00")
    assert ask(proof) == b"\x7f\x29\x24"
    proof = signed(workshop, ask(present(workshop.issue())))
    assert ask(proof)[0] == 0x69
    assert ask(proof) == b"\x7f\x29\x24"
    assert other.access == Access.LOCKED


def test_who_does_not_have_the_key_does_not_own_the_certificate(ask, workshop, tester):
    answer = ask(present(workshop.issue()))
    workshop.customer = Ed25519PrivateKey.generate()
    assert ask(signed(workshop, answer)) == b"\x7f\x29\x58"
    assert tester.access == Access.LOCKED


def test_a_signature_that_was_relayed_from_another_tester_is_none(ask, workshop):
    assert ask(signed(workshop, ask(present(workshop.issue())), tester="0x7E0")) == b"\x7f\x29\x58"


def stranger():
    return Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"begin": -3, "end": -2}, 0x50),
        ({"begin": 1, "end": 2}, 0x50),
        ({"issuer_key": stranger()}, 0x51),
        ({"issuer_key": generate_private_key(SECP256R1())}, 0x51),
        ({"issuer": "somebody else"}, 0x52),
        ({"authority": True}, 0x53),
        ({"usage": False}, 0x53),
        ({"key": generate_private_key(SECP256R1())}, 0x54),
        ({"role": None}, 0x55),
        ({"role": "root"}, 0x55),
        ({"role": "locked"}, 0x55),
        ({"role": "FLASH"}, 0x55),
        ({"extra": x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\0")}, 0x55),
    ],
)
def test_a_certificate_that_is_not_good_is_told_why(ask, workshop, details, code):
    assert ask(present(workshop.issue(**details))) == bytes([0x7F, 0x29, code])


def test_a_key_usage_for_signatures_is_good(ask, workshop):
    assert ask(present(workshop.issue(usage=True)))[0] == 0x69


def test_a_certificate_of_a_customer_issues_none(ask, workshop):
    forged = workshop.issue(issuer_key=workshop.customer, issuer="somebody")
    assert ask(present(forged)) == b"\x7f\x29\x52"


def test_an_authority_that_has_run_out_gives_no_access(server_of, tester, tmp_path, workshop):
    late = server_of(authentication.service(tmp_path, lambda: NOW + timedelta(days=10)))
    assert late.request(tester, present(workshop.issue(end=20)), 0.0) == b"\x7f\x29\x50"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (present(b""), 0x13),
        (present(b"x", configuration=1), 0x31),
        (present(b"x"), 0x54),
        (present(b"x")[:-1], 0x13),
        (present(b"x") + b"\0", 0x13),
        (present(b"xy")[:-2], 0x13),
        (b"\x29\x01\x00\xff\xff" + bytes(10), 0x13),
        (prove(b"x"), 0x24),
        (prove(b""), 0x13),
        (b"\x29\x03\x00\x01xy", 0x13),
        (b"\x29\x00\x00", 0x13),
        (b"\x29\x02", 0x12),
        (b"\x29\x05", 0x12),
        (b"\x29", 0x13),
    ],
)
def test_broken_requests_have_the_answers_of_the_standard(ask, data, code):
    assert ask(data) == bytes([0x7F, 0x29, code])


def test_without_an_anchor_nobody_can_authenticate(server_of, tester, tmp_path):
    server = server_of(authentication.service(tmp_path))
    assert server.request(tester, present(b"x"), 0.0) == b"\x7f\x29\x22"
    assert server.request(tester, prove(b"x"), 0.0) == b"\x7f\x29\x24"
    assert server.request(tester, b"\x29\x08", 0.0) == b"\x69\x08\x02"


@pytest.mark.parametrize("content", [b"", b"\xff\0", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_broken_anchor_is_told(tmp_path, content):
    (tmp_path / ANCHOR_FILE).write_bytes(content)
    with pytest.raises(UsageError, match="is no certificate of an authority in PEM"):
        authentication.service(tmp_path)


def test_an_anchor_that_is_no_authority_or_has_another_kind_of_key_is_told(tmp_path, workshop):
    key = generate_private_key(SECP256R1())
    for wrong in (
        certificate(key=workshop.customer, issuer_key=workshop.key),
        certificate(key=key, issuer_key=key, authority=True, common=AUTHORITY),
    ):
        (tmp_path / ANCHOR_FILE).write_bytes(wrong.public_bytes(Encoding.PEM))
        with pytest.raises(UsageError, match="expected the certificate of an authority"):
            authentication.service(tmp_path)
    (tmp_path / ANCHOR_FILE).unlink()
    (tmp_path / ANCHOR_FILE).mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        authentication.service(tmp_path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=3),
    cut=st.none() | st.integers(0, 2000),
)
def test_a_certificate_in_which_a_byte_is_changed_is_refused(workshop, flips, cut):
    good = workshop.issue()
    changed = bytearray(good)
    for place, flip in flips:
        changed[place % len(changed)] ^= flip
    if cut is not None:
        del changed[cut % len(changed) :]
    if changed != good:
        with pytest.raises(NegativeResponseError):
            verify(bytes(changed), workshop.anchor, NOW)
