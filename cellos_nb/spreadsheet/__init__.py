"""Tables that people keep: CSV in its dialects, or workbooks."""

from cellos_nb.spreadsheet.frame import NUMBER, frame_of
from cellos_nb.spreadsheet.table import Line, Table, read_table

__all__ = ["NUMBER", "Line", "Table", "frame_of", "read_table"]
