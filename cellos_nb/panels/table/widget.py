"""The table as a widget: the page asks for the rows in sight, the kernel answers with those alone."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent
CHUNK_BYTES = 256 * 1024
"""Of a file in one message; the Jupyter server drops what comes faster than 1 MB/s, so the page asks piece by piece."""


class VirtualTable(anywidget.AnyWidget):
    """Rows in a scrolling grid; `asked` comes from the page, `answer` goes to it."""

    _esm = _HERE / "table.js"
    _css = _HERE / "table.css"

    columns: traitlets.List[list[object]] = traitlets.List().tag(sync=True)
    """One list for each column: name, and whether it holds numbers."""
    caption = traitlets.Unicode("").tag(sync=True)
    asked: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """`first`, `n`, `sort` (column and `ascending` or `descending`, or nothing) and `filters` by column."""
    answer: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    """`first`, `rows`, `n_matching` and `n_all`."""

    def __init__(self, on_download: Callable[[str], None]) -> None:
        """An empty table; `on_download` is called with `csv` or `parquet`."""
        super().__init__()
        self._on_download = on_download
        self._outgoing: list[bytes] = []
        self.on_msg(self._on_message)

    def offer(self, name: str, content: bytes) -> None:
        """Gives the page a file to save; the one offered before is forgotten."""
        packed = gzip.compress(content, compresslevel=6, mtime=0)
        self._outgoing = [packed[i : i + CHUNK_BYTES] for i in range(0, len(packed), CHUNK_BYTES)]
        self.send({"kind": "file", "name": name, "n_chunks": len(self._outgoing)})

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content.get("kind") == "download":
            self._on_download(str(content.get("format")))
        elif content.get("kind") == "chunk":
            n = content.get("n")
            if isinstance(n, int) and 0 <= n < len(self._outgoing):
                self.send({"kind": "chunk", "n": n}, [self._outgoing[n]])
