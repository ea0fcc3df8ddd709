"""A server of the services of sessions and security as the controller has them, with its files and a car of which only the speed
is there."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from hil.diagnostics.audit import AuditLog
from hil.diagnostics.conformance import Subject
from hil.diagnostics.lock import Lock
from hil.diagnostics.protocol import DiagnosticServer
from hil.diagnostics.services import (
    authentication,
    communication_control,
    control_dtc_setting,
    diagnostic_session_control,
    ecu_reset,
    security_access,
    tester_present,
)


class Car:
    """What the services act on."""

    def __init__(self):
        self.speed = 0.0  # [m/s]
        self.restarts = 0
        self.sends = True
        self.detects = True

    def set_speed(self, speed):
        self.speed = speed

    def restart(self):
        self.restarts += 1

    def switch_transmission(self, on):
        assert on != self.sends
        self.sends = on

    def switch_detection(self, on):
        assert on != self.detects
        self.detects = on


def security_services(directory, car):
    """The services of sessions and security, with their files in ``directory``."""
    return [
        diagnostic_session_control.service(),
        tester_present.service(),
        ecu_reset.service(car.restart),
        security_access.service(Lock(directory, 0.0)),
        communication_control.service(car.switch_transmission),
        authentication.service(directory),
        control_dtc_setting.service(car.switch_detection),
    ]


def security_subject(directory):
    """The server of these services, and its car."""
    car = Car()
    (directory / authentication.ANCHOR_FILE).write_bytes(anchor())
    audit = AuditLog(directory / "audit.jsonl")
    server = DiagnosticServer(security_services(directory, car), lambda: car.speed, audit.write)
    return Subject(server, car.set_speed), car


def anchor():
    """The certificate of an authority whose key nobody has kept."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    now = datetime.now(UTC)
    return builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, None).public_bytes(Encoding.PEM)
