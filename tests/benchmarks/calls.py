"""What a call through ``rest`` and ``soap`` costs beside the same call written by hand with requests (and lxml).

Processor time of the calling process for each call, in turns, the best of several rounds; the peer is another process on
loopback that answers the same bytes over a kept-alive connection.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from lxml import etree

from connectors.rest.connector import Request, RequestParameters, RestSettings
from connectors.simulators.erp import WSDL
from connectors.soap.connector import CallOperation, CallParameters, SoapSettings
from tests.harness import MemoryContext

ROUNDS = 7
LINES = 600
_LINE = (
    "<Line><LineNumber>1</LineNumber><ItemNumber>ITM-1001</ItemNumber><Description>Nitrile gloves, M</Description>"
    "<Quantity>5</Quantity><Unit>BX</Unit><UnitPrice>2.50</UnitPrice><Amount>12.50</Amount></Line>"
)
_ERP = "urn:orderly:erp"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def order(lines: int) -> bytes:
    """A reply of the ERP, about 190 bytes a line."""
    return (
        f'<e:Envelope xmlns:e="{_SOAP}"><e:Body><ReadPurchaseOrderResponse xmlns="{_ERP}"><Number>45</Number>'
        "<Status>ISSUED</Status><SupplierStatus>ACCEPTED</SupplierStatus><Reference>r</Reference>"
        "<RequisitionNumber>REQ-1</RequisitionNumber><SupplierNumber>4010</SupplierNumber>"
        "<CostCenter>CC-OR1</CostCenter><Facility>MERCY-MAIN</Facility><Currency>USD</Currency>"
        "<OrderDate>2026-11-24</OrderDate><NeedBy>2026-12-01</NeedBy><Total>12.50</Total>"
        f"<Lines>{_LINE * lines}</Lines></ReadPurchaseOrderResponse></e:Body></e:Envelope>"
    ).encode()


def prices(items: int) -> bytes:
    return json.dumps(
        {"items": [{"item": f"ITM-{n}", "price": "11.20", "unit": "BX"} for n in range(items)]}
    ).encode()


REPLIES = {
    "/prices": ("application/json", prices(20)),
    "/catalogue": ("application/json", prices(2_000)),
    "/erp": ("text/xml", order(LINES)),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, content = REPLIES[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


@contextmanager
def peer() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.calls"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def _costs(calls: dict[str, Callable[[], Any]], count: int) -> dict[str, float]:
    """Milliseconds a call, by name."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(count):
                call()
            best[name] = min(best[name], (time.process_time() - start) / count * 1000)
    return best


def _row(what: str, costs: dict[str, float]) -> dict[str, Any]:
    by_hand, ours = costs["by hand"], costs["ours"]
    return {
        "call": what, "by hand, ms": round(by_hand, 2), "ours, ms": round(ours, 2), "times": round(ours / by_hand, 2),
    }  # fmt: skip


def measure(count: int) -> list[dict[str, Any]]:
    rows = []
    with peer() as url, requests.Session() as session:
        for path, size in (("/prices", "1 KB"), ("/catalogue", "100 KB")):
            context = MemoryContext(RestSettings(url=url, allow=["127.0.0.0/8"]), type="rest")
            calls: dict[str, Callable[[], Any]] = {
                "by hand": lambda path=path: session.get(url + path, timeout=30).json(),
                "ours": lambda path=path, context=context: Request().run(RequestParameters(path=path), context),
            }
            rows.append(_row(f"REST GET, {size}", _costs(calls, count)))
            context.close()
        rows.append(_soap(url, session, max(1, count // 10)))
    return rows


def _soap(url: str, session: requests.Session, count: int) -> dict[str, Any]:
    settings = SoapSettings(url=f"{url}/erp", wsdl=str(WSDL), allow=["127.0.0.0/8"])
    context = MemoryContext(settings, type="soap")
    parameters = CallParameters(operation="ReadPurchaseOrder", body={"Number": "45"})
    calls = {
        "by hand": lambda: _by_hand(session, f"{url}/erp"),
        "ours": lambda: CallOperation().run(parameters, context),
    }
    assert calls["by hand"]() == calls["ours"]()
    row = _row(f"SOAP call, reply of {len(order(LINES)) // 1000} KB", _costs(calls, count))
    context.close()
    return row


def _by_hand(session: requests.Session, url: str) -> dict[str, Any]:
    envelope = etree.Element(f"{{{_SOAP}}}Envelope")
    request = etree.SubElement(etree.SubElement(envelope, f"{{{_SOAP}}}Body"), f"{{{_ERP}}}ReadPurchaseOrder")
    etree.SubElement(request, f"{{{_ERP}}}Number").text = "45"
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    reply = session.post(url, data=etree.tostring(envelope), headers=headers, timeout=30)
    found = etree.fromstring(reply.content).find(f".//{{{_ERP}}}ReadPurchaseOrderResponse")
    assert found is not None
    return {_name(one): {"Line": [_fields(line) for line in one]} if len(one) else one.text for one in found}


def _fields(element: etree._Element) -> dict[str, Any]:
    return {_name(one): one.text for one in element}


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


if __name__ == "__main__":
    serve()
