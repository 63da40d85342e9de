"""Where the documents of a WSDL may come from: one folder, origin or bundle, and the schemas of the standards."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

from connectors.sdk import Misconfigured
from connectors.sdk.xml import MEGABYTE, XmlRefused, parse

#: Bytes of a URL; raises errors of ``connectors.sdk.errors`` only.
Fetch = Callable[[str], bytes]

#: Shipped, by the addresses they are imported from; nobody is asked for them.
_SHIPPED: Final = {
    "schemas.xmlsoap.org/soap/encoding": "soap-encoding.xsd",
    "www.w3.org/2001/xml.xsd": "xml.xsd",
    "www.w3.org/2001/03/xml.xsd": "xml.xsd",
    "www.w3.org/2009/01/xml.xsd": "xml.xsd",
    "www.w3.org/XML/1998/namespace": "xml.xsd",
    "www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
    "www.w3.org/2004/08/xop/include": "xop-include.xsd",
    "www.w3.org/2005/08/addressing": "ws-addr.xsd",
    "www.w3.org/2005/08/addressing/ws-addr.xsd": "ws-addr.xsd",
    "www.w3.org/2006/03/addressing/ws-addr.xsd": "ws-addr.xsd",
}

#: Of a bundle, unpacked. Real ones are a few megabytes.
_MOST_FILES, _MOST_BYTES = 1_000, 64 * MEGABYTE

#: zeep resolves relative imports against URLs: entries of a bundle have ones that nobody can call.
_INSIDE: Final = "http://bundle.invalid/"


class Library:
    """Stands where zeep expects a transport: hands out documents, and sends nothing.

    ``root`` is the address of the WSDL itself, ``documents`` has whatever was handed out.
    """

    binding_classes = (Soap11Binding, Soap12Binding)

    def __init__(self, root: str, home: str, find: Callable[[str], bytes | None]) -> None:
        """``find`` gives ``None`` for what lies outside ``home``; raises ``Misconfigured`` for what is missing."""
        self.root = root
        self.documents: dict[str, bytes] = {}
        self._home = home
        self._find = find

    def load(self, location: str) -> bytes:
        """Raises ``Misconfigured`` for what lies outside, is missing, or is not XML we accept."""
        data = self._find(location)
        if data is None:
            data = shipped(location)
        if data is None:
            raise Misconfigured(
                f"the WSDL imports {location}, which lies outside {self._home}",
                next_action="keep a copy of that document beside the WSDL and import it by its relative name",
                field="wsdl",
            )
        try:
            parse(data, what=f"the WSDL document {location}")
        except XmlRefused as refused:
            raise Misconfigured(
                f"{refused.message} (line {refused.line})", next_action=refused.next_action, field="wsdl"
            ) from refused
        self.documents[location] = data
        return data


def library(location: str, fetch: Fetch) -> Library:
    """Of a WSDL given as ``http(s)://`` URL, file, or zip (``bundle.zip``, ``bundle.zip#entry.wsdl``)."""
    path, _, entry = location.partition("#")
    if urlsplit(path).path.lower().endswith(".zip"):
        return _bundle(path, entry, fetch(path) if _origin(path) else _read(Path(path)))
    home = _origin(location)
    if home is not None:
        return Library(
            location, f"the origin {'://'.join(home)}", lambda url: fetch(url) if _origin(url) == home else None
        )
    folder = Path(location).resolve().parent
    return Library(location, f"the folder {folder}", lambda name: _beside(name, folder))


def shipped(location: str) -> bytes | None:
    """A schema of the standards, if it is one of them."""
    parts = urlsplit(location)
    name = _SHIPPED.get(f"{parts.netloc}{parts.path}".rstrip("/")) if parts.scheme in ("http", "https") else None
    return None if name is None else (files("connectors.soap") / "schemas" / name).read_bytes()


def _beside(location: str, folder: Path) -> bytes | None:
    path = Path(location).resolve()
    if _origin(location) or urlsplit(location).scheme == "file" or folder not in path.parents:
        return None
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"the WSDL document {path} cannot be read: {error.strerror or error}",
            next_action="correct the path, or put the file there",
            field="wsdl",
        ) from error


def _origin(location: str) -> tuple[str, str] | None:
    parts = urlsplit(location)
    return (parts.scheme, parts.netloc) if parts.scheme in ("http", "https") else None


def _bundle(path: str, entry: str, data: bytes) -> Library:
    entries = _unpacked(path, data)
    root = entry or _only_root(path, entries)
    if root not in entries:
        raise Misconfigured(
            f"the bundle {path} has no {root}",
            next_action=f"name one of: {', '.join(sorted(name for name in entries if _is_wsdl(name)))}",
            field="wsdl",
        )

    def find(location: str) -> bytes | None:
        if not location.startswith(_INSIDE):
            return None
        name = unquote(location.removeprefix(_INSIDE))
        if name not in entries:
            raise Misconfigured(
                f"the bundle {path} has no {name}, which the WSDL imports",
                next_action="put the document into the bundle under that name",
                field="wsdl",
            )
        return entries[name]

    return Library(_INSIDE + root, f"the bundle {path}", find)


def _unpacked(path: str, data: bytes) -> dict[str, bytes]:
    """Read into memory, so that names in it lead nowhere; no more than fits, whatever its directory claims."""
    entries: dict[str, bytes] = {}
    left = _MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            members = [member for member in bundle.infolist() if not member.is_dir()]
            if len(members) > _MOST_FILES:
                raise _unusable(path, f"it has {len(members)} files, more than {_MOST_FILES}")
            for member in members:
                with bundle.open(member) as stream:
                    entries[member.filename] = stream.read(left + 1)
                left -= len(entries[member.filename])
                if left < 0:
                    raise _unusable(path, f"unpacked it is larger than {_MOST_BYTES} bytes")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _unusable(path, str(error) or type(error).__name__) from error
    return entries


def _only_root(path: str, entries: dict[str, bytes]) -> str:
    """The WSDL that no other one of the bundle imports."""
    known = {name for name in entries if _is_wsdl(name)}
    imported = {name for other in known for name in _imports(other, entries[other]) if name != other}
    roots = sorted(known - imported)
    if len(roots) == 1:
        return roots[0]
    there = f"several: {', '.join(roots)}" if roots else "none"
    raise Misconfigured(
        f"which WSDL of the bundle {path} is meant? It has {there}",
        next_action=f"name it behind #, like {path}#{roots[0] if roots else 'service.wsdl'}",
        field="wsdl",
    )


def _imports(name: str, data: bytes) -> set[str]:
    try:
        root = parse(data, what=name)
    except XmlRefused:
        return set()
    found = (one.get("location") for one in root.iter(f"{{{_WSDL}}}import"))
    return {unquote(urljoin(_INSIDE + name, one).removeprefix(_INSIDE)) for one in found if one}


_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"


def _is_wsdl(name: str) -> bool:
    return name.lower().endswith(".wsdl")


def _unusable(path: str, why: str) -> Misconfigured:
    return Misconfigured(
        f"the bundle {path} cannot be used: {why}",
        next_action="pack the WSDL and the schemas it imports anew, as a plain zip",
        field="wsdl",
    )
