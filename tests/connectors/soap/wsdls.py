"""What becomes of public WSDLs: ``python -m tests.connectors.soap.wsdls`` writes the table anew."""

from __future__ import annotations

import warnings
from pathlib import Path

from connectors.sdk import Misconfigured
from connectors.soap import wsdl

ROOT = Path(__file__).resolve().parents[3].parent / "shared" / "corpus" / "wsdl"
TABLE = Path(__file__).with_name("WSDLS.md")

_HEAD = """# Public WSDLs

Those of Apache CXF's test utilities and of zeep's tests, read where they lie; a test holds this table.

| WSDL | SOAP operations | refused because |
|---|---|---|
"""


def row(path: Path) -> str:
    """Operations are counted over all SOAP ports; a service over HTTP binding or JMS has none."""
    name = path.relative_to(ROOT)
    try:
        count = str(len(wsdl.operations(wsdl.load(str(path)))))
    except Misconfigured as refused:
        reason = refused.message.replace(f"{ROOT.resolve()}/", "").replace(f"{ROOT}/", "").replace("|", "\\|")
        return f"| {name} | | {reason} |"
    return f"| {name} | {count} | |"


def table() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [row(path) for path in sorted(ROOT.rglob("*.wsdl"))]
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table())
