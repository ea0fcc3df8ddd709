"""The proof of a search: its calibration is read from its file, and driven as ``e4hil drive --calibration`` does.

Drives of a search exchange every frame, too; they keep less. Here all frames are kept and counted, all records are sampled, and
what the search had seen is compared with it, to the bit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.calibrating import with_calibration
from bench.drive import Drive, DriveResult
from bench.rows import Row, bounded
from bench.tuning.evaluation import NOMINAL, Evaluation
from bench.tuning.rig import KEPT, Record, field_of
from bench.tuning.search import Found
from bench.tuning.study_file import Study
from firmware_model.kernel.records import locate
from hil.network.database import load_network


@dataclass(frozen=True)
class Proof:
    """One drive again, and how many of its values differ from the search's."""

    name: str
    result: DriveResult
    differing: int
    compared: int


def prove(study: Study, calibration: Path, best: Found) -> list[Proof]:
    """Drive everything again in the car of the data sheet with the ``calibration`` of a file. Raises UsageError."""
    vehicle = with_calibration(study.vehicle, calibration)
    network = load_network(study.network)
    evaluation = Evaluation(study)
    values = study.calibration(best.parameters)
    proofs = []
    for name, manoeuvre in study.manoeuvres.items():
        records = evaluation.records(name, NOMINAL, values)
        for scenario, record in zip(manoeuvre.scenarios, records, strict=True):
            drive = Drive(network, vehicle, scenario)
            if manoeuvre.preview_time is not None:
                drive.car.parameters.driver.preview_time = manoeuvre.preview_time
            result = drive.result(list(drive.chunks(drive.lockstep())))
            proofs.append(Proof(name, result, *compare(result, record)))
    return proofs


def compare(result: DriveResult, record: Record) -> tuple[int, int]:
    """How many values of a drive differ from those of a search's record, and how many there are."""
    samples = result.scenario_samples
    if len(samples) != len(record.array):
        return max(len(samples), len(record.array)), len(record.array)
    differing = sum(unlike(np.asarray(locate(samples, path)), record.array[field_of(path)]) for path in KEPT)
    return differing, len(KEPT) * len(samples)


def unlike(ours: Any, its: Any) -> int:
    """How many values differ; NaN is like NaN."""
    return int(np.count_nonzero((ours != its) & ~((ours != ours) & (its != its))))


def proof_rows(proofs: list[Proof]) -> list[Row]:
    """What the proof comes to."""
    frames = sum(len(proof.result.frames) for proof in proofs)
    values = sum(proof.compared for proof in proofs)
    rows = [
        bounded(
            "proof: values unlike the search's", sum(proof.differing for proof in proofs), "1", maximum=0,
            note=f"of {values}, from {len(proofs)} drives with the written file, to the bit",
        ),
        Row("proof: frames on the buses", float(frames), "1", note="no other way between controller and car, nor in the search"),
    ]  # fmt: skip
    for name in ("CRC errors", "counter errors", "unknown frames"):
        total = sum(float(row.value or 0.0) for proof in proofs for row in proof.result.rows if row.name == name)
        rows.append(bounded(f"proof: {name}", total, "1", maximum=0))
    ended = sum(proof.result.completed for proof in proofs)
    rows.append(bounded("proof: drives that came to their end", ended, "1", minimum=len(proofs)))
    return rows
