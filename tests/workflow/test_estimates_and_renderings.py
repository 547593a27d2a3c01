import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from plate_batches import batch, compiled, machine, plan, proposal

from cellos_nb.domain.settings import CompoundStock, ControlSettings
from cellos_nb.domain.step import TipPolicy, TransferList
from cellos_nb.errors import ConfigError
from cellos_nb.workflow import workflow as workflow_module
from cellos_nb.workflow.estimate import count_tips, default_prices, estimate, load_prices
from cellos_nb.workflow.render import render_html, render_text

SHIPPED_PRICES = Path(workflow_module.__file__).with_name("prices.yaml")
STAINED = ("viability", "imaging")


def test_an_estimate_adds_up():
    (workflow,) = compiled(batch(60))
    bench = machine(seconds_per_transfer=2.0, seconds_per_well_read=3.0)
    found = estimate(workflow, bench)
    n_transfers = sum(len(step.transfers) for step in workflow.steps if step.transfers)
    n_read = len(workflow.layout.with_cells)
    assert found.robot_minutes == pytest.approx((2 * n_transfers + 3 * n_read) / 60)
    assert found.duration_h == pytest.approx(4 + 72 + found.robot_minutes / 60)
    assert found.cost_usd == pytest.approx(sum(line.cost_usd for line in found.lines))
    assert all(line.quantity > 0 for line in found.lines)
    costs = {line.item: line.cost_usd for line in found.lines}
    assert costs["machine time"] == pytest.approx(30 * found.robot_minutes / 60)
    assert costs["tips"] == pytest.approx(found.tips * default_prices().tip_usd)
    assert dict(found.liquids_ul)["viability reagent"] == pytest.approx(100 * n_read)
    assert found.plates == 2


def test_nine_sites_take_nine_times_as_long_to_image():
    found = [estimate(compiled(batch(8, assay=assay))[0], machine(seconds_per_transfer=0.0)) for assay in STAINED]
    assert found[1].robot_minutes == pytest.approx(9 * found[0].robot_minutes)
    assert "stain" in {line.item for line in found[1].lines}


@pytest.mark.parametrize(("policy", "n"), [(TipPolicy.PER_SOURCE, 2), (TipPolicy.PER_TRANSFER, 3)], ids=str)
def test_tips_are_counted_by_policy_and_shared_by_parts_of_one_transfer(policy, n):
    moves = TransferList(
        ("s",) * 4, ("A1", "A1", "A1", "A2"), ("plate",) * 4, ("A1", "A1", "B1", "B1"), (1.0,) * 4, policy
    )
    assert count_tips(moves) == n


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tip_usd: 0.09", "tip_usd: -1", r"line \d+: tip_usd: -1 is too small; give a number of at least 0"),
        ("tip_usd: 0.09", "tipp_usd: 0.09", r"tipp_usd: unknown key; did you mean 'tip_usd'"),
        ("as_of: 2025-06-01", "as_of: soon", r"as_of: 'soon' is not possible"),
        ("  96: 6.0\n", "", None),
    ],
    ids=["negative", "misspelt", "no date", "a plate without a price"],
)
def test_a_price_list_is_checked(tmp_path, old, new, message):
    text = SHIPPED_PRICES.read_text(encoding="utf-8")
    path = tmp_path / "prices.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    if message:
        with pytest.raises(ConfigError, match=message):
            load_prices(path)
        return
    (workflow,) = compiled(batch(4))
    with pytest.raises(ConfigError, match="prices: there is none for 96; possible: 6, 12"):
        estimate(workflow, machine(), load_prices(path))


def test_dearer_prices_make_a_dearer_plate():
    (workflow,) = compiled(batch(4))
    dear = default_prices().model_copy(update={"dilution_plate_usd": 107.0})
    assert estimate(workflow, machine(), dear).cost_usd == pytest.approx(estimate(workflow, machine()).cost_usd + 100)


def test_the_text_shows_every_well_every_step_and_the_cost():
    chosen = plan(outer_wells="medium")
    (workflow,) = compiled(batch(30), chosen)
    text = render_text(workflow, estimate(workflow, machine()))
    assert workflow.sha256 in text
    rows = re.findall(r"^[A-H] .*", text, re.MULTILINE)
    marks = [mark for row in rows for mark in row.split()[1:]]
    assert len(marks) == 96
    assert marks.count("-") == 36
    assert marks.count("V1") == marks.count("V2") == 2
    assert sorted(int(mark) for mark in marks if mark.isdigit()) == list(range(1, 31))
    for step in workflow.steps:
        assert re.search(rf"^{step.uid} ", text, re.MULTILINE)
    assert "USD (prices of 2025-06-01)" in text
    assert "72 h 0 min at 37 °C" in text


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.titles, self.seen = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("n_wells", [6, 96, 384, 1536])
def test_the_html_has_a_titled_cell_for_each_well_and_closes_its_tags(n_wells):
    (workflow,) = compiled(batch(2, lines=("U2OS",)), plan(n_wells))
    tags = _Tags()
    tags.feed(render_html(workflow, estimate(workflow, machine())))
    assert tags.open == []
    assert len(tags.titles) == n_wells


def test_names_are_escaped_in_html():
    evil = "<script>alert('&\"')</script>"
    chosen = plan(stocks=(CompoundStock(name=evil, stock_mm=10.0),), controls=ControlSettings(vehicle=1))
    (workflow,) = compiled([proposal(compound=evil, line=evil, uid=evil)], chosen)
    tags = _Tags()
    html = render_html(workflow, estimate(workflow, machine()))
    tags.feed(html)
    assert "script" not in tags.seen
    assert any(evil in title for title in tags.titles)
