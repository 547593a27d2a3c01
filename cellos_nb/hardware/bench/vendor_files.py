"""Files that a reader's own software wrote, read by allotropy, which knows some forty vendors."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cellos_nb.errors import ConfigError, ReaderFileError
from cellos_nb.hardware.bench.entries import Entry, Export, well_name
from cellos_nb.hardware.bench.settings import ReaderSettings

_NO_QUANTITIES = {"sample document", "device control aggregate document", "measurement identifier"}


def read_vendor_file(name: str, content: bytes, signals: Sequence[str], reader: ReaderSettings) -> Export:
    """What a vendor's file says, by the quantities that allotropy finds in it.

    Raises:
        ReaderFileError: allotropy cannot read it, or does not find what is asked for; says what it found.
        ConfigError: allotropy is not installed, or knows no such vendor.
    """
    document = _converted(name, content, reader.vendor)
    entries: list[Entry] = []
    plates: dict[str, str] = {}
    quantities: dict[str, None] = {}
    for number, measurement in enumerate(_measurements(document), 1):
        sample = measurement.get("sample document", {})
        well = well_name(str(sample.get("location identifier", "")))
        if well is None:
            continue
        where = f"{name}, measurement {number} (well {well})"
        plates.setdefault(str(sample.get("well plate identifier", "")), where)
        numbers = {key: value for key, value in measurement.items() if _is_quantity(key, value)}
        quantities |= dict.fromkeys(numbers)
        for signal in signals:
            value = numbers.get(reader.label_of(signal))
            if value is not None:
                entries.append(Entry(well, signal, str(value["value"]), where))
    for signal in signals:
        if reader.label_of(signal) not in quantities:
            raise ReaderFileError(
                f"{name}: no well has a {reader.label_of(signal)!r}; allotropy found "
                f"{', '.join(quantities) or 'no numbers of wells'}. Correct `signals` in the machine file."
            )
    plates.pop("", None)
    if len(plates) > 1:
        (one, at), (other, there) = list(plates.items())[:2]
        raise ReaderFileError(f"{there}: speaks of plate {other!r}, but {at} of {one!r}. Export each plate by itself.")
    barcode = next(iter(plates.items()), (None, ""))
    return Export(name, tuple(entries), *(barcode if reader.plate is not None else (None, "")))


def vendors() -> tuple[str, ...]:
    """The vendors that allotropy knows, as `reader.vendor` names them.

    Raises:
        ConfigError: allotropy is not installed.
    """
    _need_allotropy()
    from allotropy.parser_factory import Vendor

    return tuple(vendor.value for vendor in Vendor)


def _converted(name: str, content: bytes, vendor: str | None) -> Mapping[str, Any]:
    _need_allotropy()
    if vendor is not None and vendor not in vendors():
        raise ConfigError(f"reader.vendor: allotropy knows no {vendor!r}; possible: {', '.join(vendors())}.")
    from allotropy.to_allotrope import allotrope_from_io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own and its libraries' deprecations are not the person's
            document: Mapping[str, Any] = allotrope_from_io(io.BytesIO(content), name, vendor)
    except Exception as error:
        # A vendor's parser raises whatever it meets in a file that is not as it expects.
        whose = f"as a file of {vendor}" if vendor else "by itself; name the `vendor` in the machine file"
        raise ReaderFileError(f"{name}: allotropy cannot read it {whose} ({error}).") from error
    return document


def _need_allotropy() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import allotropy.to_allotrope  # noqa: F401 — to know that it is there
        except ImportError as error:
            raise ConfigError(
                "Files of vendors are read by allotropy. Run `pip install 'cellos-nb[instruments]'`, or export CSV and "
                "set `form: list`."
            ) from error


def _measurements(node: Any) -> Iterator[Mapping[str, Any]]:
    """All measurements of a document, wherever its schema puts them."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "measurement document" and isinstance(value, list):
                yield from value
            else:
                yield from _measurements(value)
    elif isinstance(node, list):
        for item in node:
            yield from _measurements(item)


def _is_quantity(key: str, value: Any) -> bool:
    return key not in _NO_QUANTITIES and isinstance(value, Mapping) and "value" in value
