"""A small program on top of cellos_nb; `mypy --strict` checks it against the installed package."""

from __future__ import annotations

from cellos_nb import CampaignConfig, Lab, fit_dose_response

config = CampaignConfig(
    name="first look",
    cell_lines=["U2OS"],
    compounds=["staurosporine", "doxorubicin"],
    dose_range_um=(0.001, 10.0),
    objective="minimise",
    batch_size=12,
    max_iterations=2,
    machine="biology",
    seed=1,
)


def potencies(url: str) -> dict[str, float]:
    """The EC50 of each compound, in µM, after a campaign in this database."""
    with Lab.open(url) as lab:
        history = lab.run(config).history()
    found: dict[str, float] = {}
    for compound in config.compound_names:
        wells = history[history["compound"] == compound]
        found[compound] = fit_dose_response(wells["dose_um"], wells["value"]).ec50
    return found


if __name__ == "__main__":
    print(potencies("client.db"))  # noqa: T201
