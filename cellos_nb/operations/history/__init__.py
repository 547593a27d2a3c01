"""Earlier results: read from tables of one's own, checked, and kept as finished campaigns."""

from cellos_nb.operations.history.guess import Guess, Guessed, guess
from cellos_nb.operations.history.importing import Imported, import_history, read_history
from cellos_nb.operations.history.mapping import Columns, HistoryMapping, ResponseMapping
from cellos_nb.operations.history.rows import Measured
from cellos_nb.spreadsheet import Table, read_table

__all__ = [
    "Columns",
    "Guess",
    "Guessed",
    "HistoryMapping",
    "Imported",
    "Measured",
    "ResponseMapping",
    "Table",
    "guess",
    "import_history",
    "read_history",
    "read_table",
]
