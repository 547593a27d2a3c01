from dataclasses import replace

import pytest
from plate_batches import COMPOUNDS, batch, compiled, machine, plan, proposal

from cellos_nb.domain.settings import CompoundStock, ControlSettings, PositiveControl
from cellos_nb.domain.step import StepKind
from cellos_nb.errors import CompileError, InputError, LayoutError, PipettingError, ProposalError, StockError

NO_POSITIVE = ControlSettings(vehicle=2)
DRY = tuple(kind for kind in StepKind if kind is not StepKind.DILUTE)


def stock(**values):
    return (CompoundStock(name="tunicamycin", **values),)


REFUSED = {
    "dose above what the solvent carries": (
        [proposal(60.0)],
        plan(),
        machine(),
        PipettingError,
        (
            r"Well [A-H]\d+: 60 µM needs 0.6 µL of the 10 mM tunicamycin stock, but 0.5 % solvent in 100 µL allows "
            r"0.5 µL. Lower the dose to 50 µM or less, or use a stock of 12 mM or more."
        ),
    ),
    "dose below the pipette and no dilutions": (
        [proposal(0.02)],
        plan(controls=NO_POSITIVE),
        machine(step_kinds=DRY),
        PipettingError,
        (
            r"Well [A-H]\d+: 0.02 µM needs 0.2 nL of the 10 mM tunicamycin stock .* delivers 2.5 nL or more and makes "
            r"no dilutions. Choose a dose between 0.25 µM and 49.75 µM"
        ),
    ),
    "working solutions and no dilutions": (
        [proposal()],
        plan(),
        machine(1.0, step_kinds=DRY),
        PipettingError,
        r"the 0.5 µL of solvent allowed must be added in medium, because bench delivers 1 µL or more, .*no dilutions",
    ),
    "a pipette as large as the well": (
        [proposal()],
        plan(1536),
        machine(5.0),
        PipettingError,
        r"half of the 8 µL in a well of a 1536-well plate, but bench delivers 5 µL or more. Choose a plate_format",
    ),
    "dose too close to the highest": (
        [proposal(49.99999)],
        plan(controls=NO_POSITIVE),
        machine(),
        PipettingError,
        r"tunicamycin: a dilution to 1e\+04 µM is too close .* or for one at least 0.00013 % below it",
    ),
    "too little solvent for the pipette": (
        [proposal()],
        plan(96, max_solvent_percent=0.01),
        machine(5.0),
        PipettingError,
        r"0.01 % solvent is too little .* 5 µL or more at any dilution. Raise max_solvent_percent",
    ),
    "a range without room for parts": (
        [proposal()],
        plan(96, controls=ControlSettings(vehicle=3)),
        machine(1.0, 1.05),
        PipettingError,
        r"cannot be split into transfers of 1 µL to 1.05 µL, .* Use a machine with a wider range",
    ),
    "more dilutions than wells": (
        batch(360, n_doses=120, low=1e-4),
        plan(384, controls=NO_POSITIVE),
        machine(20.0),
        PipettingError,
        r"need more than the 576 wells .* lower batch_size",
    ),
    "a compound without stock": (
        [proposal(compound="aspirin")],
        plan(),
        machine(),
        StockError,
        r"Well [A-H]\d+: aspirin has no stock. List it under compounds",
    ),
    "a stock without concentration": (
        [proposal()],
        plan(stocks=stock(), controls=NO_POSITIVE),
        machine(),
        StockError,
        r"tunicamycin has no stock",
    ),
    "too little stock": (
        [proposal(20.0)],
        plan(stocks=stock(stock_mm=10.0, stock_volume_ul=10.1), controls=NO_POSITIVE),
        machine(),
        StockError,
        r"test/i001-p1: tunicamycin needs 10.2 µL of its stock, of which 10 µL cannot be drawn .* 10.1 µL are left",
    ),
    "no identifier": (
        [proposal(uid="")],
        plan(),
        machine(),
        ProposalError,
        r"proposal_id: 1 of 1 experiments have none",
    ),
    "an identifier twice": ([proposal(), proposal(2.0)], plan(), machine(), ProposalError, r"e1 stands more than once"),
    "unknown assay": (
        [proposal(assay="elisa")],
        plan(),
        machine(),
        CompileError,
        r"no assay 'elisa'; possible: viability",
    ),
    "assay beyond the machine": (
        [proposal(assay="imaging")],
        plan(),
        machine(assays=("viability",)),
        CompileError,
        r"bench cannot run 'imaging'; possible: viability",
    ),
    "step beyond the machine": (
        [proposal(assay="imaging")],
        plan(),
        machine(step_kinds=tuple(kind for kind in StepKind if kind is not StepKind.STAIN)),
        CompileError,
        r"'imaging' needs the step 'stain', but bench does only seed",
    ),
    "plate beyond the machine": (
        [proposal()],
        plan(384),
        machine(plate_formats=(96,)),
        CompileError,
        r"bench holds no plates of 384 wells; possible: 96",
    ),
    "no such plate": ([proposal()], plan(100), machine(), LayoutError, r"100 wells is no plate"),
    "unknown line": (
        [proposal(line="MCF7")],
        plan(),
        machine(cell_lines=("U2OS", "A549")),
        CompileError,
        r"Experiment e1: the cell line MCF7 is unknown to bench; possible: U2OS, A549",
    ),
    "unknown compound": (
        [proposal()],
        plan(),
        machine(compounds=("staurosporine",)),
        CompileError,
        r"the compound tunicamycin is unknown to bench; possible: staurosporine",
    ),
    "unknown positive control": (
        [proposal()],
        plan(),
        machine(compounds=("tunicamycin",)),
        CompileError,
        r"controls.positive: the compound staurosporine is unknown",
    ),
    "dose beyond the machine": (
        [proposal(20.0)],
        plan(),
        machine(dose_range_um=(0.1, 10.0)),
        CompileError,
        r"Experiment e1, tunicamycin: 20 µM is outside .* possible: 0.1 µM to 10 µM",
    ),
    "positive dose beyond the machine": (
        [proposal(5.0)],
        plan(controls=ControlSettings(vehicle=2, positive=PositiveControl(compound=COMPOUNDS[0], dose_um=11.0))),
        machine(dose_range_um=(0.1, 10.0)),
        CompileError,
        r"controls.positive, staurosporine: 11 µM is outside",
    ),
    "dose above the compound's limit": (
        [proposal(5.0)],
        plan(stocks=stock(stock_mm=10.0, max_dose_um=2.0), controls=NO_POSITIVE),
        machine(),
        CompileError,
        r"5 µM of tunicamycin is above its max_dose_um of 2 µM",
    ),
    "a machine that delivers nothing": (
        [proposal()],
        plan(),
        machine(0.0),
        CompileError,
        r"bench says that it delivers 0 to 1000 µL, which is no range",
    ),
}


@pytest.mark.parametrize(("proposals", "chosen", "bench", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_refused_with_the_reason_and_the_cure(proposals, chosen, bench, error, message):
    with pytest.raises(error, match=message) as refusal:
        compiled(proposals, chosen, bench)
    assert isinstance(refusal.value, InputError)
    assert str(refusal.value).endswith(".")


def test_everything_is_checked_before_anything_is_compiled():
    late = [*batch(200), replace(proposal(), proposal_id="late", cell_line="unknown")]
    with pytest.raises(CompileError, match="Experiment late: the cell line unknown"):
        compiled(late, plan(), machine(cell_lines=("U2OS", "A549")))


def test_no_proposals_make_no_plates():
    assert compiled([]) == ()
