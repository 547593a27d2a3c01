"""Commands about images of wells: read a folder of them, practise on rendered ones, compare with what is in them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellos_nb.cli.options import AsJson
from cellos_nb.cli.tables import print_facts, print_json, print_table
from cellos_nb.errors import InputError

if TYPE_CHECKING:
    from cellos_nb.hardware.imaging.settings import ImagingSettings

app = typer.Typer(help="Images of wells: living and dead cells counted, focus checked.", no_args_is_help=True)

Images = Annotated[Path, typer.Argument(help="Folder with the TIFFs, and those below it.", metavar="FOLDER")]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="YAML with pattern, stains, pixel size and limits. Default: imaging.yaml in the folder, if it is there.",
        show_default=False,
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option("--pattern", help="Names of the files: {well}_s{site}_{channel}.tif", show_default=False),
]


@app.command()
def measure(  # noqa: PLR0917 — options, which are given by name
    folder: Images,
    settings: SettingsFile = None,
    pattern: Pattern = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the wells as CSV.", show_default=False)] = None,
    sites: Annotated[Path | None, typer.Option("--sites", help="Write the sites as CSV.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Count the cells in a folder of images: living and dead, by well, with what is not to be trusted."""
    from cellos_nb.hardware.imaging.folder import measured_sites
    from cellos_nb.hardware.imaging.wells import sites_csv, wells_csv, wells_of

    how = _how(folder, settings, pattern)
    found = {(site.well, site.number): field for site, field in measured_sites(folder, how)}
    wells = wells_of(found, how)
    if out is not None:
        _write(out, wells_csv(wells, how))
    if sites is not None:
        _write(sites, sites_csv(found, how))
    rows = [
        {
            "well": one.well,
            "living cells/site": _rounded(one.cell_count, 1),
            "nuclei/site": _rounded(one.nuclei, 1),
            "viability %": _rounded(100 * one.viability, 1),
            "sites used": f"{one.n_used} of {one.n_sites}",
            "flags": "; ".join(one.flags),
        }
        for one in wells
    ]
    print_table(rows, as_json=as_json, empty="no wells")


@app.command()
def practise(  # noqa: PLR0917 — options, which are given by name
    folder: Annotated[Path, typer.Argument(help="New folder for the images.", metavar="FOLDER")],
    wells: Annotated[int, typer.Option("--wells", min=1, max=96, help="Wells of a 96-well plate, from A1 on.")] = 6,
    sites: Annotated[int, typer.Option("--sites", min=1, max=100, help="Fields of each well.")] = 9,
    cells: Annotated[float, typer.Option("--cells", min=0, max=600, help="Cells of a field.")] = 150,
    dead: Annotated[
        str, typer.Option("--dead", help="Shares of dead cells, from well to well.")
    ] = "0,0.1,0.3,0.6,0.9,1",
    exposure: Annotated[float, typer.Option("--exposure", min=0.01, max=100, help="As a factor.")] = 1.0,
    lost: Annotated[float, typer.Option("--out-of-focus", min=0, max=1, help="Share of fields out of focus.")] = 0.05,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Behind all chance.")] = 0,
) -> None:
    """Render images of cells, with a table of every cell that is truly there, to practise on."""
    import numpy as np

    from cellos_nb.domain.plate import well_names
    from cellos_nb.hardware.imaging.microscope import practice_fields, take_images
    from cellos_nb.hardware.imaging.settings import MicroscopeSettings

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: there is something in it. Name a new folder.")
    asked = MicroscopeSettings(folder=str(folder), exposure=exposure, out_of_focus=lost)
    fields = practice_fields(well_names(96)[:wells], sites, cells, dead=_shares(dead), settings=asked, seed=seed)
    take_images(folder, asked, fields, np.random.default_rng(seed))
    typer.echo(f"{wells * sites * 3} images in {folder}; read them by `cellos images measure {folder}`")


@app.command()
def agree(
    folder: Images,
    settings: SettingsFile = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Draw it as a PNG, PDF or SVG.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare what is read from rendered images with the cells that are truly in them."""
    from cellos_nb.hardware.imaging.agreement import compare, draw

    found = compare(folder, _how(folder, settings, None))
    n_lost = len(found.fields) - len(found.sharp)
    facts = {
        "fields": len(found.fields),
        "out of focus, not used": n_lost,
        "true cells found %": _rounded(100 * found.recall, 2),
        "found that are true %": _rounded(100 * found.precision, 2),
        "living or dead called right %": _rounded(100 * found.called_right, 2),
        "count of a field wrong by %, median": _rounded(found.count_error_percent, 2),
        "viability of a well wrong by, points at most": _rounded(found.viability_error_percent, 2),
    }
    if as_json:
        print_json(facts)
    else:
        print_facts([(what, "–" if value is None else f"{value:g}") for what, value in facts.items()])
    if figure is not None:
        try:
            draw(found).savefig(figure, dpi=150)
        except (OSError, ValueError) as error:
            raise InputError(f"{figure}: cannot be drawn ({error}). Name a .png, .pdf or .svg that can be.") from error
        typer.echo(f"wrote {figure}", err=True)


def _how(folder: Path, settings: Path | None, pattern: str | None) -> ImagingSettings:
    from cellos_nb.hardware.imaging.microscope import SETTINGS
    from cellos_nb.hardware.imaging.settings import ImagingSettings, load_imaging

    beside = folder / SETTINGS
    path = settings or (beside if beside.is_file() else None)
    how = load_imaging(path) if path is not None else ImagingSettings()
    return how if pattern is None else how.model_copy(update={"pattern": pattern})


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise InputError(f"--dead {text!r}: write shares from 0 to 1, as in 0,0.3,1.")
    return shares


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}). Name another file.") from error
    typer.echo(f"wrote {path}", err=True)
