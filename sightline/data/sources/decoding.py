"""From the bytes of a table to its text: in which alphabet it was saved, or what it is instead of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

UTF16, MARK = (b"\xff\xfe", b"\xfe\xff"), "\ufeff"
NO_TEXT = (b"PK\x03\x04", b"%PDF")
"""How files begin that are read as text by mistake, though no zero stands in their beginning."""

SHEETS = (".xls", ".xlsb", ".xlsm", ".xlsx", ".ods", ".numbers")
IN_SHEETS = (b"xl/", b"opendocument.spreadsheet")


def unreadable(table: Path, error: Exception) -> DataError:
    """That a table cannot be read, and what helps."""
    return DataError(f"{table} cannot be read: {error}; save it as UTF-8 text, one image per line")


def decoded(table: Path) -> tuple[str, str]:
    """The text, and how it was saved where that was not as UTF-8.

    UTF-16 with its mark or by its zeros, as spreadsheets save it, or else the alphabet of Western Windows.
    """
    data = table.read_bytes()
    for alphabet, zeros in (("utf-16-le", data[1:200:2]), ("utf-16-be", data[0:200:2])):
        if data[:2] in UTF16 or (zeros and not zeros.strip(b"\0")):
            try:
                text = data.decode("utf-16" if data[:2] in UTF16 else alphabet)
                return text.removeprefix(MARK), "as UTF-16"
            except UnicodeDecodeError as error:
                raise unreadable(table, error) from None
    if b"\0" in data[:4096] or data.startswith(NO_TEXT):
        raise DataError(f"{table} is no text, but {_kind(data, table.suffix.lower())}")
    try:
        return data.decode().removeprefix(MARK), ""
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "as text of Western Windows (cp1252)"
    except UnicodeDecodeError as error:
        raise unreadable(table, error) from None


def _kind(data: bytes, suffix: str) -> str:
    if suffix in SHEETS or (data.startswith(b"PK") and any(part in data for part in IN_SHEETS)):
        return "a spreadsheet: save it as CSV"
    if data.startswith((b"PK", b"\x1f\x8b", b"Rar!", b"7z", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        return "an archive: unpack it first"
    if data.startswith(b"PAR1"):
        return "a Parquet file: save it as CSV"
    if data.startswith(b"%PDF"):
        return "a PDF document; name a folder of images, or a table of them"
    return "a binary file; name a folder of images, or a table of them"
