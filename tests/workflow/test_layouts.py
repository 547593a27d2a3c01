from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plate_batches import FORMATS, batch, compiled, plan, proposal

from cellos_nb.domain.plate import WellRole, outer_wells, well_names, well_position
from cellos_nb.domain.settings import ControlSettings, PositiveControl
from cellos_nb.errors import LayoutError
from cellos_nb.workflow.layout import assign_plates, lay_out


@settings(max_examples=50, deadline=None)
@given(
    n_wells=st.sampled_from(FORMATS[3:]),
    n=st.integers(1, 60),
    replicates=st.integers(1, 4),
    vehicle=st.integers(1, 6),
    positive=st.integers(0, 3),
    outer=st.sampled_from(("use", "medium")),
    seed=st.integers(0, 2**63 - 1),
)
def test_each_plate_holds_all_replicates_and_controls_for_each_of_its_lines(
    n_wells, n, replicates, vehicle, positive, outer, seed
):
    control = PositiveControl(compound="staurosporine", dose_um=1.0, wells=positive) if positive else None
    chosen = plan(
        n_wells, replicates=replicates, controls=ControlSettings(vehicle=vehicle, positive=control), outer_wells=outer
    )
    proposals = batch(n)
    plates = assign_plates(proposals, chosen)
    assert sorted(p.proposal_id for plate in plates for p in plate) == [p.proposal_id for p in proposals]
    for plate in plates:
        layout = lay_out(plate, chosen, seed)
        roles = Counter((well.role, well.cell_line) for well in layout if well.role is not WellRole.SAMPLE)
        expected = {}
        for line in {p.cell_line for p in plate}:
            expected[WellRole.VEHICLE, line] = vehicle
            if positive:
                expected[WellRole.POSITIVE, line] = positive
        if outer == "medium":
            expected[WellRole.MEDIUM, None] = len(outer_wells(n_wells))
            assert {w.well for w in layout.with_role(WellRole.MEDIUM)} == outer_wells(n_wells)
        assert roles == expected
        samples = Counter(
            (w.proposal_id, w.compound, w.dose_um, w.cell_line) for w in layout.with_role(WellRole.SAMPLE)
        )
        assert samples == {(p.proposal_id, p.compound, p.dose_um, p.cell_line): replicates for p in plate}
        assert [w.well for w in layout] == [w for w in well_names(n_wells) if w in {x.well for x in layout}]


@pytest.mark.parametrize("n_wells", [96, 384, 1536])
def test_controls_are_spread_over_the_quarters_of_a_full_plate(n_wells):
    chosen = plan(n_wells, controls=ControlSettings(vehicle=4))
    n_rows = {96: 8, 384: 16, 1536: 32}[n_wells]
    proposals = batch(n_wells - 8)
    for seed in range(20):
        layout = lay_out(proposals, chosen, seed)
        for line in ("U2OS", "A549"):
            where = [well_position(w.well, n_wells) for w in layout.with_role(WellRole.VEHICLE) if w.cell_line == line]
            quarters = {(row >= n_rows / 2, column >= 0.75 * n_rows) for row, column in where}
            assert len(quarters) == 4


def test_the_same_seed_gives_the_same_layout_and_another_seed_another():
    chosen = plan(384)
    proposals = batch(300)
    assert lay_out(proposals, chosen, 5) == lay_out(proposals, chosen, 5)
    assert lay_out(proposals, chosen, 5) != lay_out(proposals, chosen, 6)


LAYOUT_2026 = "A1v B1s5 B2s0 B3v B4s2 B5p C1s1 C2v C3p C4v C5s4 D1s3"


def test_a_layout_is_the_same_on_every_platform():
    layout = lay_out(batch(6), plan(24), 2026)
    assert " ".join(f"{w.well}{w.role[0]}{(w.proposal_id or '')[-1:]}" for w in layout) == LAYOUT_2026


def test_the_rim_is_used_last():
    used = {well.well for well in lay_out(batch(50), plan(96), 1)}
    assert len(used & outer_wells(96)) == 0


def test_proposals_that_do_not_fit_one_plate_go_onto_the_next_in_order():
    workflows = compiled(batch(200, lines=("U2OS",)), plan(96))
    assert [w.plate_id for w in workflows] == ["test/i001-p1", "test/i001-p2", "test/i001-p3"]
    assert [len(w.layout.with_role(WellRole.SAMPLE)) for w in workflows] == [93, 93, 14]
    first = {well.proposal_id for well in workflows[0].layout.with_role(WellRole.SAMPLE)}
    assert first == {f"e{i:04d}" for i in range(93)}


def test_a_line_whose_controls_do_not_fit_any_more_waits_while_others_fill_the_plate():
    chosen = plan(6, controls=ControlSettings(vehicle=2))
    order = [proposal(line=line, uid=f"e{i}") for i, line in enumerate(["A", "A", "B", "A"])]
    plates = assign_plates(order, chosen)
    assert [[p.proposal_id for p in plate] for plate in plates] == [["e0", "e1", "e3"], ["e2"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"replicates": 94},
            r"needs 97 wells \(94 replicates, 2 vehicle and 1 positive control wells\).* has 96.*fewer",
        ),
        ({"outer_wells": "medium", "replicates": 60}, r"rim kept for medium has 60.*outer_wells: use"),
    ],
    ids=["more replicates than wells", "no room inside the rim"],
)
def test_what_cannot_fit_an_empty_plate_is_refused_with_counts(changes, message):
    with pytest.raises(LayoutError, match=message):
        assign_plates(batch(1), plan(96, **changes))


def test_more_than_one_plate_holds_is_refused_when_one_plate_is_asked_for():
    with pytest.raises(LayoutError, match="need 206 wells, but a 96-well plate has 96"):
        lay_out(batch(200), plan(96), 1)
