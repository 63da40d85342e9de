"""Master data of a pack: numbers of GS1 whose check digit is wrong, before an order names them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from connectors.sdk.gs1 import wrong
from runtime.model.lints.finding import Finding, Report
from runtime.model.pack import Pack

#: What the name of a column begins with (``gtin``, ``code:gtin14``, ``code:gln``), and what it holds.
_KINDS = {"gtin": "GTIN", "gln": "GLN", "sscc": "SSCC"}


def lint_masterdata(pack: Pack) -> Iterator[Finding]:
    """Warnings: the other records can be used. What cannot be read at all is told when the pack is started."""
    for path in sorted((pack.folder / "masterdata").glob("*.csv")):
        report = Report(str(path))
        try:
            _lint(report, path)
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        yield from report.findings


def _lint(report: Report, path: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.reader(opened, strict=True)
        columns = [head.strip() for head in next(reader, [])]
        kinds = [(place, name, _kind(name)) for place, name in enumerate(columns) if _kind(name)]
        for values in reader:
            for place, name, kind in kinds:
                value = values[place].strip() if place < len(values) else ""
                if value and (told := wrong(kind, value)):
                    where = f"line {reader.line_num}, {values[0]}"
                    advice = "correct it: orders with it are refused before they are sent"
                    report.warning("check-digit", (str(reader.line_num), name), f"{where}: {value} {told}", advice)


def _kind(column: str) -> str:
    scheme = column.removeprefix("code:")
    return next((kind for begins, kind in _KINDS.items() if scheme.startswith(begins)), "")
