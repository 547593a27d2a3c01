"""What a plate reader's file says: a number for each well and signal, and where in the file each of them stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cellos_nb.domain.plate import row_label
from cellos_nb.errors import ReaderFileError
from cellos_nb.hardware.bench.entries import Entry, Export, well_name
from cellos_nb.hardware.bench.settings import ReaderSettings
from cellos_nb.hardware.bench.sheets import Sheet, read_sheet
from cellos_nb.hardware.bench.vendor_files import read_vendor_file


def read_export(name: str, content: bytes, signals: Sequence[str], reader: ReaderSettings) -> Export:
    """What a file says about the signals that a step asks for.

    Args:
        name: of the file, as the person has it.
        content: of the file.
        signals: as the step names them.
        reader: how this reader's files look.

    Raises:
        ReaderFileError: the file has not the form that the machine file speaks of; says what is there.
        ConfigError: what reads such files is not installed.
    """
    if reader.form == "vendor":
        return read_vendor_file(name, content, signals, reader)
    sheet = read_sheet(name, content, sheet=reader.sheet, decimal=reader.decimal)
    barcode = _labelled(sheet, reader.plate) if reader.plate is not None else None
    if reader.form == "grid":
        entries = tuple(
            entry for signal in signals for entry in _grid(sheet, signal, reader, is_only=len(signals) == 1)
        )
    else:
        entries, column = _list(sheet, signals, reader)
        barcode = column or barcode
    if reader.plate is not None and barcode is None:
        raise ReaderFileError(
            f"{sheet.name}: there is no {reader.plate!r}, by which the plate would be told. Export it with the plate's "
            "barcode, or take `plate` out of the machine file."
        )
    value, where = barcode or (None, "")
    return Export(sheet.name, entries, value, where, reader.decimal)


def _list(
    sheet: Sheet, signals: Sequence[str], reader: ReaderSettings
) -> tuple[tuple[Entry, ...], tuple[str, str] | None]:
    """The entries of a table with one row for each well, and the barcode when a column has it."""
    head = sheet.find(reader.well)
    if head is None:
        first = next((row for row in sheet.rows if sum(bool(cell.strip()) for cell in row) > 1), ())
        there = ", ".join(cell.strip() for cell in first if cell.strip()) or "one column alone"
        raise ReaderFileError(
            f"{sheet.name}: has no column {reader.well!r} for the wells; its first row has {there}. Correct `well` in "
            "the machine file, or its `form` when the file is a picture of the plate."
        )
    header_row, well_column = head
    names = [cell.strip() for cell in sheet.rows[header_row]]
    columns = {signal: _column(sheet, header_row, names, reader.label_of(signal)) for signal in signals}
    entries: list[Entry] = []
    rows = list(_rows_below(sheet, header_row, well_column))
    for row in rows:
        well = well_name(sheet.at(row, well_column))
        if well is None:
            raise ReaderFileError(
                f"{sheet.cell(row, well_column)}: {sheet.at(row, well_column)!r} is no well. Wells are written A1 or "
                "A01; take what is no well out of the table, or leave an empty line before it."
            )
        entries += [Entry(well, signal, sheet.at(row, at), sheet.cell(row, at)) for signal, at in columns.items()]
    wanted = (reader.plate or "").casefold()
    plate_column = next((at for at, name in enumerate(names) if wanted and name.casefold() == wanted), None)
    if plate_column is None:
        return tuple(entries), None
    return tuple(entries), _one_barcode(sheet, rows, plate_column)


def _rows_below(sheet: Sheet, header_row: int, column: int) -> Iterator[int]:
    """The rows of a table, up to the first that is empty there."""
    for row in range(header_row + 1, len(sheet.rows)):
        if not sheet.at(row, column):
            return
        yield row


def _column(sheet: Sheet, row: int, names: list[str], label: str) -> int:
    found = [at for at, name in enumerate(names) if name.casefold() == label.casefold()]
    if len(found) != 1:
        problem = "is there twice" if found else "is not there"
        raise ReaderFileError(
            f"{sheet.name}, row {row + 1}: the column {label!r} {problem}; the columns are "
            f"{', '.join(name for name in names if name)}. Correct `signals` in the machine file, or export it again."
        )
    return found[0]


def _one_barcode(sheet: Sheet, rows: list[int], column: int) -> tuple[str, str] | None:
    """The barcode in a column, which must be the same in every row."""
    first: tuple[str, str] | None = None
    for row in rows:
        here, where = sheet.at(row, column), sheet.cell(row, column)
        if first is not None and here != first[0]:
            raise ReaderFileError(
                f"{where}: speaks of plate {here!r}, but {first[1]} of {first[0]!r}. Export each plate into a file of "
                "its own."
            )
        first = first or (here, where)
    return first


def _labelled(sheet: Sheet, label: str) -> tuple[str, str] | None:
    """What stands behind a label: in the next cell, or behind a colon in the same one."""
    found = sheet.find(label) or sheet.find(f"{label}:")
    if found is not None:
        row, column = found
        return (sheet.at(row, column + 1), sheet.cell(row, column + 1)) if sheet.at(row, column + 1) else None
    for row, cells in enumerate(sheet.rows):
        for column, text in enumerate(cells):
            name, colon, value = text.partition(":")
            if colon and name.strip().casefold() == label.casefold() and value.strip():
                return value.strip(), sheet.cell(row, column)
    return None


def _grid(sheet: Sheet, signal: str, reader: ReaderSettings, *, is_only: bool) -> Iterator[Entry]:
    """The entries of one picture of the plate: columns numbered above, rows lettered at the left."""
    label = reader.label_of(signal)
    title = sheet.find(label)
    if title is None and not is_only:
        raise ReaderFileError(
            f"{sheet.name}: there is no title {label!r} above a plate. Correct `signals` in the machine file."
        )
    top, left = _corner(sheet, title[0] if title else 0)
    n_columns = 0
    while sheet.at(top, left + n_columns + 1) == str(n_columns + 1):
        n_columns += 1
    n_rows = 0
    while sheet.at(top + n_rows + 1, left).upper() == row_label(n_rows):
        n_rows += 1
        for column in range(n_columns):
            row, at = top + n_rows, left + column + 1
            yield Entry(f"{row_label(n_rows - 1)}{column + 1}", signal, sheet.at(row, at), sheet.cell(row, at))


def _corner(sheet: Sheet, after: int) -> tuple[int, int]:
    """The cell at the upper left of a plate: 1 stands at its right, A below."""
    for row in range(after, len(sheet.rows)):
        for column in range(len(sheet.rows[row])):
            if sheet.at(row, column + 1) == "1" and sheet.at(row + 1, column).upper() == "A":
                return row, column
    raise ReaderFileError(
        f"{sheet.name}: there is no plate in it, with columns numbered from 1 and rows lettered from A. Correct `form` "
        "in the machine file, or export it again."
    )
