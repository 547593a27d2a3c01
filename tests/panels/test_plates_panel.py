"""The plates panel: colours, legend, a click on a well and its history down to each transfer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hostile_names import EVIL_COMPOUND
from markupsafe import escape

from cellos_nb.domain.plate import WellRole, well_position
from cellos_nb.errors import InputError
from cellos_nb.execution.story import attempts, plate_records
from cellos_nb.panels import PlatesPanel
from cellos_nb.panels.plates import panel as panel_module
from cellos_nb.panels.plates.model import find_artefacts, load_plate
from cellos_nb.panels.plates.picture import WAYS, paint
from cellos_nb.panels.plates.story import well_story


@pytest.fixture
def plate(lab):
    return load_plate(lab.store, plate_records(lab.store, lab.campaigns()[0].campaign_id)[0])


@pytest.fixture
def panel(lab):
    with PlatesPanel(lab) as opened:
        assert opened.widget
        yield opened


def wells_of(plate, role: WellRole):
    return [well for well in plate.wells.values() if well.assignment.role is role]


def test_samples_show_what_the_history_holds(plate, lab):
    frame = lab.campaigns()[0].history()
    frame = frame[frame["plate"] == plate.record.plate_id.rpartition("/")[2]].set_index("well")
    for well in wells_of(plate, WellRole.SAMPLE):
        assert well.signal == frame.loc[well.name, "signal"]
        assert well.value == frame.loc[well.name, "value"]


def test_control_wells_are_normalised_by_the_vehicle_of_their_own_line(plate):
    vehicle = wells_of(plate, WellRole.VEHICLE)
    for line in {well.assignment.cell_line for well in vehicle}:
        assert np.median([well.value for well in vehicle if well.assignment.cell_line == line]) == pytest.approx(1)
    assert all(well.value < 0.7 for well in wells_of(plate, WellRole.POSITIVE))


@pytest.mark.parametrize("by", WAYS)
def test_every_way_to_colour_paints_every_used_well_and_explains_its_colours(by, plate):
    picture = paint(plate, by)
    assert len(picture.cells) == 96
    painted = {cell.name: cell for cell in picture.cells if cell.colour}
    assert set(painted) == set(plate.wells)
    assert all(entry.text for entry in picture.legend)
    if by not in {"dose", "signal", "value"}:  # amounts run between the legend's colours
        assert {well.colour for well in painted.values()} <= {entry.colour for entry in picture.legend}


def test_colours_of_amounts_rise_with_the_amount(plate):
    picture = {cell.name: cell.colour for cell in paint(plate, "dose").cells}
    by_dose = {well.assignment.dose_um: picture[well.name] for well in wells_of(plate, WellRole.SAMPLE)}
    greens = [int(by_dose[dose][3:5], 16) for dose in sorted(by_dose)]
    assert greens == sorted(greens)


def test_a_well_tells_every_step_and_each_transfer_back_to_the_stock(plate):
    well = min(wells_of(plate, WellRole.SAMPLE), key=lambda well: well.assignment.dose_um)
    events = {event.step_uid: event for event in well_story(plate, well.name)}
    seeded, dosed = events["1-seed"], events["4-dose"]
    assert "3-dilute" not in events  # made a source, did not touch the well
    assert any(f"{well.assignment.cell_line} cells" in line for line in seeded.transfers)
    text = "\n".join(dosed.transfers)
    assert f"{well.assignment.compound} 10 mM" in text
    assert "in 3-dilute" in text
    assert {event.status for event in events.values()} == {"done"}
    assert f"{well.signal:,.6g}" in "\n".join(events["6-read"].transfers)


def test_the_volumes_told_are_those_of_the_workflow(plate):
    for well in plate.wells:
        told = sum(
            float(line.split()[0]) / (1000 if line.split()[1] == "nL" else 1)
            for event in well_story(plate, well)
            for line in event.transfers
            if " from " in line and "↳" not in line
        )
        moved = sum(
            transfer.volume_ul
            for step in plate.workflow.steps
            for transfer in step.transfers or ()
            if (transfer.destination_labware, transfer.destination_well) == ("plate", well)
        )
        assert told == pytest.approx(moved, rel=1e-3)


def test_attempts_carry_machine_and_times(plate, lab):
    tried = attempts(lab.store, plate.record.run_id)
    assert [attempt.step_uid for attempt in tried] == [step.uid for step in plate.workflow.steps]
    assert all(attempt.finished_at >= attempt.started_at for attempt in tried)


def test_clicking_a_well_shows_its_history_escaped(panel):
    plate = panel.shown.plate
    well = next(w for w in plate.wells.values() if w.assignment.compound == EVIL_COMPOUND)
    panel._picture.selected = well.name
    assert panel.choice.well == well.name
    assert "4-dose" in panel._story.value
    assert "=staurosporine&lt;b&gt;" in panel._story.value
    assert "<b>=" not in panel._story.value
    # The picture's labels are set as text by the browser, so they carry the name as it is.
    assert any(EVIL_COMPOUND in label for _, _, label in json.loads(panel._picture.paint))


def test_an_empty_well_says_that_nothing_was_put_into_it(panel):
    panel._picture.selected = "A1"
    assert "Nothing was put into this well." in panel._story.value


def test_choosing_a_colour_paints_the_picture_anew(panel):
    places, before = panel._picture.places, panel._picture.paint
    panel._colour.value = "value"
    assert panel._picture.paint != before
    assert panel._picture.places == places
    assert "of vehicle" in panel._legend.value
    assert "coloured by value" in panel._picture.caption


def test_the_newest_plate_is_shown_until_another_is_chosen(panel):
    records = panel.shown.records
    assert panel.shown.plate.record == records[-1]
    panel._plates.value = records[0].plate_id
    assert panel.shown.plate.record == records[0]
    panel._plates.value = ""
    assert panel.shown.plate.record == records[-1]


def test_quality_of_the_controls_stands_beside_the_plate(panel):
    line = panel.shown.plate.quality.lines[0]
    assert f"{line.z_prime:.3f}" in panel._quality.value


def test_a_plate_that_is_not_there_is_refused_in_the_panel(lab):
    with PlatesPanel(lab, plate="no such plate") as panel:
        assert panel.widget
        assert "there is no plate" in panel.widget.children[-1].value


def test_a_colour_that_is_not_there_is_refused_at_once(lab):
    with pytest.raises(InputError, match="possible: dose, compound"):
        PlatesPanel(lab, colour="taste")


def test_edge_and_drift_stand_beside_the_plate_and_are_looked_for_once(panel, monkeypatch):
    found = panel.shown.artefacts
    assert [one.kind for one in found] == ["edge", "drift", "bubble", "swapped_rows"]
    assert all(str(escape(one.verdict)) in panel._quality.value for one in found)
    monkeypatch.setattr(panel_module, "find_artefacts", lambda _: pytest.fail("looked for again"))
    panel.choose(colour="value", well="C5")
    assert panel.shown.artefacts is found


def test_a_drift_is_said_where_it_is_seen_and_read_aloud(panel):
    plate = panel.shown.plate
    channel = plate.reading.channels[0]
    drifted = [
        None if value is None else value * (1.0 + 0.2 * well_position(well, plate.n_wells)[1])
        for well, value in zip(plate.reading.wells, channel.values, strict=True)
    ]
    reading = replace(plate.reading, channels=(replace(channel, values=tuple(drifted)), *plate.reading.channels[1:]))
    found = find_artefacts(replace(plate, reading=reading))
    drift = found[1]
    assert (drift.kind, drift.is_found) == ("drift", True)
    shown = replace(panel.shown, artefacts=found)
    panel.draw(shown)
    assert '<tr class="cellos-found"><th scope="row">⚠ drift</th>' in panel._quality.value
    assert f"Found: {drift.verdict}" in panel.summary(shown)
    assert "found" in [*panel.static_form(shown).tables[1].frame["found"]]


def test_a_plate_that_is_not_read_yet_is_not_searched(plate):
    assert find_artefacts(replace(plate, reading=None)) == ()
