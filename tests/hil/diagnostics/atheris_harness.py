"""Requests that atheris (libFuzzer) grows towards code that was not reached yet: python atheris_harness.py FOLDER [-runs=N]."""

import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]

with atheris.instrument_imports(include=["hil.diagnostics"]):
    from fuzzing import STEPS, Fuzzer
    from server_rig import security_subject


def main():
    folder = Path(tempfile.mkdtemp(dir=sys.argv.pop(1)))
    subject, _ = security_subject(folder)

    def converse(data):
        """Each request is after its length and a byte with the tester, the addressing and the time."""
        fuzzer = Fuzzer(subject, seed=1)
        provider = atheris.FuzzedDataProvider(data)
        while provider.remaining_bytes():
            circumstances = provider.ConsumeInt(1)
            fuzzer.step(list(STEPS)[circumstances >> 4 & 7])
            request = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 60))
            fuzzer.send(fuzzer.testers[circumstances % 3], request, functional=bool(circumstances & 8))
        fuzzer.finish()

    atheris.Setup(sys.argv, converse)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
