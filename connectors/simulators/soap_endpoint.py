"""A SOAP 1.1 document/literal endpoint on a loopback port, which can also behave as badly as real ones do.

It speaks HTTP/1.1 with kept-alive connections, serves its WSDL at ``?wsdl``, checks every request against the
WSDL's own schema, and answers faults with HTTP 500 (SOAP 1.1, section 6.2).
"""

from __future__ import annotations

import base64
import hmac
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

from connectors.sdk.xml import XmlRefused, parse

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
WSDL_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
SCHEMA = "http://www.w3.org/2001/XMLSchema"
LARGEST_REQUEST = 16 * 1024 * 1024

#: A SOAP body as nested dicts of text; an element called ``Lines`` holds a list of its children.
Fields = dict[str, Any]
Operation = Callable[[str, Fields], Mapping[str, Any]]


class SoapFault(Exception):
    """Answered as a fault; ``code`` stands in its detail as ``<ErrorCode>``. ``side`` says whose fault it is:
    ``Client`` or ``Server`` (SOAP 1.1, section 4.4.1)."""

    def __init__(self, code: str, message: str, side: str = "Client") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.side = side


class HangUp(Exception):
    """Raised by an operation that has acted: the connection is closed without a reply."""


class SoapEndpoint:
    """``open`` binds, ``close`` frees the port for good, ``down`` keeps it but refuses every connection."""

    def __init__(self, wsdl: Path, path: str, user: str, password: str, answer: Operation) -> None:
        self._definition = parse(wsdl.read_bytes(), what=str(wsdl))
        schema = self._definition.find(f".//{{{SCHEMA}}}schema")
        assert schema is not None
        self._schema = etree.XMLSchema(schema)
        self._validating = threading.Lock()
        self._namespace = schema.get("targetNamespace", "")
        self._credentials = b"Basic " + base64.b64encode(f"{user}:{password}".encode())
        self._path = path
        self._answer = answer
        self._server: _Server | None = None
        self._reserved: socket.socket | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._path}"

    def open(self) -> None:
        """Binds a free port, or again the one it had."""
        if self._server is not None:
            return
        self._release_port()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="soap-endpoint").start()

    def cut(self) -> None:
        """Takes no more connections and breaks those there are; requests in hand go on, unheard."""
        if self._server is not None:
            self._server.shutdown()
            self._server.hang_up()

    def down(self) -> None:
        """``close``, but the port stays bound and not listening: connects are refused, and no other program
        takes it meanwhile."""
        self.close()
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", self._port))

    def close(self) -> None:
        """``cut``, then waits for the requests in hand to finish."""
        self._release_port()
        if self._server is not None:
            self.cut()
            self._server.server_close()
            self._server = None

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def authorized(self, header: str | None) -> bool:
        return hmac.compare_digest((header or "").encode(), self._credentials)

    def wsdl(self) -> bytes:
        """The WSDL with the address this endpoint has now."""
        for address in self._definition.iter(f"{{{WSDL_SOAP}}}address"):
            address.set("location", self.url)
        return etree.tostring(self._definition, xml_declaration=True, encoding="utf-8")

    def answer(self, request: bytes) -> tuple[HTTPStatus, bytes]:
        """Raises ``HangUp`` where no reply is to be sent."""
        try:
            element = self._request(request)
            name = etree.QName(element).localname
            reply = self._answer(name, fields(element))
            return HTTPStatus.OK, _envelope(self._element(f"{name}Response", reply))
        except SoapFault as fault:
            return HTTPStatus.INTERNAL_SERVER_ERROR, _envelope(self._fault(fault))

    def _request(self, request: bytes) -> etree._Element:
        try:
            envelope = parse(request, what="the request", limit=LARGEST_REQUEST)
        except XmlRefused as refused:
            raise SoapFault("INVALID_REQUEST", refused.message) from refused
        body = envelope.find(f"{{{ENVELOPE}}}Body")
        if envelope.tag != f"{{{ENVELOPE}}}Envelope" or body is None or len(body) != 1:
            raise SoapFault("INVALID_REQUEST", "no SOAP 1.1 envelope with one element in its body")
        try:
            with self._validating:
                self._schema.assertValid(body[0])
        except etree.DocumentInvalid as invalid:
            raise SoapFault("INVALID_REQUEST", str(invalid)) from invalid
        return body[0]

    def _element(self, name: str, value: Any) -> etree._Element:
        element = etree.Element(f"{{{self._namespace}}}{name}", nsmap={"erp": self._namespace})
        if isinstance(value, Mapping):
            element.extend(self._element(child, sub) for child, sub in value.items() if sub is not None)
        elif isinstance(value, list):
            element.extend(self._element("Line", line) for line in value)
        else:
            element.text = value
        return element

    def _fault(self, fault: SoapFault) -> etree._Element:
        element = etree.Element(f"{{{ENVELOPE}}}Fault", nsmap={"soap": ENVELOPE})
        etree.SubElement(element, "faultcode").text = f"soap:{fault.side}"
        etree.SubElement(element, "faultstring").text = fault.message
        etree.SubElement(element, "detail").append(self._element("ErrorCode", fault.code))
        return element


def fields(element: etree._Element) -> Fields:
    return {etree.QName(child).localname: _value(child) for child in element}


def _value(element: etree._Element) -> Any:
    if etree.QName(element).localname == "Lines":
        return [fields(line) for line in element]
    return fields(element) if len(element) else (element.text or "")


def _envelope(content: etree._Element) -> bytes:
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE})
    etree.SubElement(envelope, f"{{{ENVELOPE}}}Body").append(content)
    return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")


class _Server(ThreadingHTTPServer):
    """Knows its connections, and waits for their threads when it closes."""

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], endpoint: SoapEndpoint) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._connections:
                _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if not self._admitted():
            self._send(HTTPStatus.UNAUTHORIZED, b"credentials are missing or wrong\n", "text/plain")
        elif self.path.partition("?")[2].lower() != "wsdl":
            self._send(HTTPStatus.METHOD_NOT_ALLOWED, b"POST a SOAP envelope, or GET ?wsdl\n", "text/plain")
        else:
            self._send(HTTPStatus.OK, self.server.endpoint.wsdl())

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_REQUEST:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large\n", "text/plain")
            return
        request = self.rfile.read(length)
        if not self._admitted():
            self._send(HTTPStatus.UNAUTHORIZED, b"credentials are missing or wrong\n", "text/plain")
            return
        try:
            self._send(*self.server.endpoint.answer(request))
        except HangUp:
            self.close_connection = True
            _shut(self.connection)

    def _admitted(self) -> bool:
        return self.server.endpoint.authorized(self.headers.get("Authorization"))

    def _send(self, status: HTTPStatus, body: bytes, content_type: str = "text/xml; charset=utf-8") -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="erp"')
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: the simulator's journal is the log."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the peer was faster
        return
