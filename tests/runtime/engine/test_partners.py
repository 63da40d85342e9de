"""Test and production never cross, whatever was under way when the pack went over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.sdk import BlobRef
from runtime.model.run import RunState
from tests.workshop import Workshop, flow

DOCUMENT = {
    "beginning": {"purpose": "00", "order_type": "NE", "order_number": "PO-1", "order_date": "20261124"},
    "lines": [{"line_number": "1", "quantity": "1", "unit": "EA", "unit_price": "1.00",
               "product_ids": [{"qualifier": "VN", "id": "A-1"}]}],
}  # fmt: skip
ORDER = flow(
    "order",
    {"id": "rest", "type": "wait", "parameters": {"for": "1h"}},
    {
        "id": "edi",
        "type": "x12.write",
        "parameters": {"partner": "=partner", "set": "850", "document": "=document"},
    },
)
WAYS = (("out", "850"), ("in", "855"))
PROFILE: dict[str, Any] = {
    "partner": "acme", "name": "Acme",
    "x12": {"ours": {"qualifier": "ZZ", "id": "MERCY"}, "theirs": {"qualifier": "ZZ", "id": "ACME"}},
    "environments": {"test": {"x12": {"theirs": {"id": "ACMETEST"}}}, "production": {}},
}  # fmt: skip


def write(pack: Path, name: str, content: Any) -> None:
    (pack / name).parent.mkdir(parents=True, exist_ok=True)
    (pack / name).write_text(json.dumps(content))


def header(shop: Workshop, run: str) -> str:
    """The ISA of what the run wrote."""
    output = next(row.output for row in shop.story(run).outcomes if row.node == "edi")
    return shop.store.blobs.read(BlobRef.model_validate(output["content"])).decode().splitlines()[0]


def test_a_run_of_one_environment_writes_nothing_in_the_other(tmp_path: Path) -> None:
    """What waits while the pack goes over does not become an order of the other kind; what comes then does."""
    write(tmp_path / "pack", "partners/acme.json", PROFILE)
    shop = Workshop(tmp_path, [ORDER])
    try:
        before = shop.take("order", {"partner": "acme", "document": DOCUMENT})
        shop.drain()
        write(shop.pack, "pack.json", {"client": "mercy", "name": "Mercy", "environment": "production"})
        shop.again()
        after = shop.take("order", {"partner": "acme", "document": DOCUMENT})
        shop.drain()
        shop.pass_time(hours=1, seconds=1)
        shop.drain()

        [failed] = [row for row in shop.story(before).outcomes if row.node == "edi"]
        assert shop.store.run(before).state is RunState.DEAD
        assert "began when the pack ran in test, it runs in production now" in str(failed.error)
        assert shop.store.run(after).state is RunState.DONE
        assert "*ZZ*ACME           *" in header(shop, after) and header(shop, after).endswith("*0*P*>~")
    finally:
        shop.close()


def test_isa15_and_the_parties_ids_are_those_of_the_environment(tmp_path: Path) -> None:
    write(tmp_path / "pack", "partners/acme.json", PROFILE)
    shop = Workshop(tmp_path, [ORDER])
    try:
        run = shop.take("order", {"partner": "acme", "document": DOCUMENT})
        shop.drain()
        shop.pass_time(hours=1, seconds=1)
        shop.drain()

        assert "*ZZ*ACMETEST       *" in header(shop, run) and header(shop, run).endswith("*0*T*>~")
    finally:
        shop.close()


def test_a_partners_own_mapping_goes_before_that_of_the_flow(tmp_path: Path) -> None:
    """In both directions, by type, as the release of the run's day holds it; also in a run that began before."""
    pack = tmp_path / "pack"
    for name, source in (("ours", "{'by': 'ours'}"), ("theirs", "{'by': 'theirs', 'number': number}")):
        (pack / "mappings" / name).mkdir(parents=True)
        (pack / "mappings" / name / "mapping.jsonata").write_text(source)
    write(pack, "partners/acme.json", PROFILE | {"mappings": {"out": {"850": "theirs"}, "in": {"855": "theirs"}}})
    write(pack, "partners/other.json", PROFILE | {"partner": "other"})
    out, back = ({"mapping": "ours", "by_partner": {"partner": "=partner", way: type}} for way, type in WAYS)
    nodes = (
        {"id": "rest", "type": "wait", "parameters": {"for": "1h"}},
        {"id": "out", "type": "map", "parameters": out, "into": "out"},
        {"id": "back", "type": "map", "parameters": back, "into": "back"},
        {
            "id": "else",
            "type": "map",
            "parameters": out | {"by_partner": {"partner": "=partner", "out": "860"}},
            "into": "else",
        },
    )
    shop = Workshop(tmp_path, [flow("maps", *nodes)])
    try:
        runs = {name: shop.take("maps", {"partner": name, "number": "7"}) for name in ("acme", "other", "nobody")}
        shop.drain()
        write(pack, "partners/acme.json", PROFILE)
        shop.again()
        shop.pass_time(hours=1, seconds=1)
        shop.drain()

        theirs, ours = {"by": "theirs", "number": "7"}, {"by": "ours"}
        made = {name: {row.node: row.output for row in shop.story(run).outcomes} for name, run in runs.items()}
        assert [made["acme"][node] for node in ("out", "back", "else")] == [theirs, theirs, ours]
        for name in ("other", "nobody"):
            assert [made[name][node] for node in ("out", "back", "else")] == [ours, ours, ours]
    finally:
        shop.close()
