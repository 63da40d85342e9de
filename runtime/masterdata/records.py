"""Master data held in memory, read from one CSV file per kind."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from connectors.sdk import Misconfigured

_SCHEME = "code:"

Record = Mapping[str, str]


class MasterDataError(Misconfigured):
    """A file of master data cannot be used as it stands; the message begins with ``file:line``."""


class MasterData:
    """Immutable once read, so threads may share it. Records are flat, every value is a string."""

    def __init__(self, kinds: Mapping[str, Mapping[tuple[str, str], Record]]) -> None:
        self._kinds = kinds

    @classmethod
    def from_folder(cls, folder: Path | str) -> MasterData:
        """Reads every ``<kind>.csv`` (UTF-8, with or without byte order mark, RFC 4180 quoting).

        The first line names the columns: the first is ``code``, ``code:<scheme>`` is the same thing's code in
        another scheme, the others become fields. A folder that is not there holds nothing.
        Raises ``MasterDataError`` with file and line.
        """
        return cls({file.stem: _read(file) for file in sorted(Path(folder).glob("*.csv"))})

    def resolve(self, kind: str, code: str, scheme: str = "") -> dict[str, str] | None:
        """The record of that kind whose own code, or code in ``scheme``, it is; always with ``code``."""
        found = self._kinds.get(kind, {}).get((scheme, code))
        return dict(found) if found is not None else None

    def kinds(self) -> list[str]:
        """Names of the kinds there are records of."""
        return sorted(self._kinds)


def _read(file: Path) -> dict[tuple[str, str], Record]:
    records: dict[tuple[str, str], Record] = {}
    first_seen: dict[tuple[str, str], int] = {}
    for line, record, codes in _rows(file):
        for key in codes:
            if key in records:
                scheme, code = key
                raise MasterDataError(
                    f"{file}:{line}: {scheme or 'code'} {code!r} stands on line {first_seen[key]} already",
                    next_action="keep one of the two lines",
                )
            records[key], first_seen[key] = record, line
    return records


def _rows(file: Path) -> Iterator[tuple[int, Record, list[tuple[str, str]]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            columns = _columns(file, next(reader, []))
            line = reader.line_num + 1
            for values in reader:
                if any(values):
                    yield line, *_record(file, line, columns, values)
                line = reader.line_num + 1
    except csv.Error as error:
        raise MasterDataError(
            f"{file}:{reader.line_num}: {error}", next_action="correct the quoting of that line"
        ) from error
    except UnicodeDecodeError as error:
        raise MasterDataError(
            f"{file}: byte {error.start} is not UTF-8", next_action="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise MasterDataError(
            f"{file}: cannot be read: {error.strerror}", next_action="check that the file is there and readable"
        ) from error


def _columns(file: Path, heads: Iterable[str]) -> list[str]:
    columns = [head.strip() for head in heads]
    if not columns or columns[0] != "code":
        raise MasterDataError(
            f"{file}:1: the first column is not called code", next_action="name the columns on the first line"
        )
    for column in columns:
        if not column or column == _SCHEME or columns.count(column) > 1:
            raise MasterDataError(
                f"{file}:1: column {column!r} is empty or named twice", next_action="give every column its own name"
            )
    return columns


def _record(file: Path, line: int, columns: list[str], values: list[str]) -> tuple[Record, list[tuple[str, str]]]:
    if len(values) != len(columns):
        raise MasterDataError(
            f"{file}:{line}: {len(values)} values for {len(columns)} columns",
            next_action="quote values that hold a comma",
        )
    row = {column: value.strip() for column, value in zip(columns, values, strict=True)}
    if not row["code"]:
        raise MasterDataError(f"{file}:{line}: no code", next_action="give the record a code or remove the line")
    fields = {column: value for column, value in row.items() if not column.startswith(_SCHEME)}
    others = [
        (column.removeprefix(_SCHEME), value)
        for column, value in row.items()
        if column.startswith(_SCHEME) and value
    ]
    return fields, [("", row["code"]), *others]
