"""A procurement portal: sends requisitions as signed webhooks and is told what became of them.

Journal: ``delivery`` (requisition_number, webhook_id, status, duplicate, at) for each post, ``status``
(requisition_number, status, told) for each update that came back, ``refused`` (path, status, error).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import requests

from connectors.sdk import Misconfigured, Simulator
from connectors.sdk.webhooks import sign
from connectors.simulators.json_endpoint import Answer, Asked, JsonEndpoint

#: What the portal's catalogue says of the demo hospital's items.
CATALOGUE: Final[Mapping[str, Mapping[str, str]]] = {
    "ITM-1001": {"description": "Nitrile gloves, medium", "unit": "BX", "estimatedPrice": "11.20"},
    "ITM-1002": {"description": "Syringes 10 ml", "unit": "BX", "estimatedPrice": "7.45"},
    "ITM-1003": {"description": "Suture set", "unit": "EA", "estimatedPrice": "24.00"},
    "ITM-2001": {"description": "Infusion pump", "unit": "EA", "estimatedPrice": "1850.00"},
    "ITM-2002": {"description": "Operating room light", "unit": "EA", "estimatedPrice": "5400.00"},
    "ITM-3001": {"description": "Hip implant", "unit": "EA", "estimatedPrice": "2400.00"},
    "ITM-9001": {"description": "Wound dressing", "unit": "BX", "estimatedPrice": "3.10"},
}

_CATEGORIES: Final = {"ITM-1": "consumables", "ITM-2": "equipment", "ITM-3": "implants"}


class Reply(NamedTuple):
    """What a delivery was answered; ``body`` is JSON, or text where it is none."""

    status: int
    body: Any


class Portal(Simulator):
    """Settings: ``api_key``, which status updates must carry as a bearer token.

    ``POST /status`` takes ``{"requisitionNumber", "status", ...}`` and answers ``{"received": true}``.
    """

    def __init__(self, *, api_key: str = "portal-demo-key") -> None:
        super().__init__(api_key=api_key)
        self._authorization = f"Bearer {api_key}".encode()
        self._webhook_url = ""
        self._secret = ""
        self._endpoint = JsonEndpoint("portal", self._answer)

    def start(self) -> Mapping[str, str]:
        """Endpoints ``url``, the base of the portal's API, and ``secret``, which it signs its webhooks with."""
        return {
            "url": self._endpoint.open(),
            "secret": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
        }

    def stop(self) -> None:
        self._endpoint.close()

    def connect(self, webhook_url: str, secret: str) -> None:
        """Where requisitions go, and the ``whsec_`` secret they are signed with."""
        self._webhook_url, self._secret = webhook_url, secret

    def send(self, requisition: Mapping[str, Any], *, times: int = 1, webhook_id: str | None = None) -> list[Reply]:
        """Posts the requisition that many times, one after the other, each time under the same webhook-id.

        Raises ``Misconfigured`` before ``connect``, ``ConnectionError`` where a post gets no answer.
        """
        if not self._webhook_url:
            raise Misconfigured(
                "the portal does not know where to send", next_action="call connect(webhook_url, secret) first"
            )
        webhook_id = webhook_id or f"msg_{uuid.uuid4().hex}"
        body = json.dumps(requisition).encode()
        number = str(requisition.get("requisitionNumber", ""))
        return [self._deliver(number, webhook_id, body) for _ in range(times)]

    def _deliver(self, number: str, webhook_id: str, body: bytes) -> Reply:
        signed = sign(self._secret, webhook_id, datetime.now(UTC), body)
        with requests.Session() as session:
            session.trust_env = False
            try:
                response = session.post(
                    self._webhook_url,
                    data=body,
                    headers={"Content-Type": "application/json", **signed},
                    timeout=30,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise ConnectionError(f"requisition {number} got no answer: {error}") from error
        self.journal.write(
            "delivery",
            requisition_number=number,
            webhook_id=webhook_id,
            status=response.status_code,
            duplicate=response.status_code == 200,
            at=datetime.now(UTC).isoformat(),
        )
        return Reply(response.status_code, _json_or_text(response))

    def requisition(self, number: str, lines: Sequence[Mapping[str, Any]], **overrides: Any) -> dict[str, Any]:
        """The portal's own JSON. A line needs ``itemNumber`` and ``quantity``, the catalogue gives the rest;
        ``overrides`` replace fields of the head, by the portal's names (``costCenter="CC-OR1"``)."""
        items = [_line(place, line) for place, line in enumerate(lines, start=1)]
        head = {
            "requisitionNumber": number,
            "revision": "0",
            "requestedBy": {"name": "Anna Berg", "email": "anna.berg@mercy.example", "department": "Ward 3"},
            "facility": "MERCY-MAIN",
            "costCenter": "CC-WARD3",
            "neededBy": (datetime.now(UTC).date() + timedelta(days=7)).isoformat(),
            "urgency": "routine",
            "category": _CATEGORIES.get(items[0]["itemNumber"][:5], "consumables") if items else "consumables",
            "currency": "USD",
        }
        return {**head, **overrides, "lines": items}

    def _answer(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) != ("POST", "/status"):
            return self._refuse(asked, 404, "there is only POST /status")
        if not hmac.compare_digest(asked.headers.get("authorization", "").encode(), self._authorization):
            return self._refuse(asked, 401, "the bearer token is missing or wrong")
        try:
            told = json.loads(asked.body)
        except ValueError:
            return self._refuse(asked, 400, "the body is not JSON")
        missing = [
            name
            for name in ("requisitionNumber", "status")
            if not isinstance(told, dict) or not isinstance(told.get(name), str)
        ]
        if missing:
            return self._refuse(asked, 400, f"no text at {' and '.join(missing)}")
        self.journal.write("status", requisition_number=told["requisitionNumber"], status=told["status"], told=told)
        return Answer(200, {"received": True})

    def _refuse(self, asked: Asked, status: int, error: str) -> Answer:
        self.journal.write("refused", path=asked.path, status=status, error=error)
        return Answer(status, {"error": error})


def _line(place: int, line: Mapping[str, Any]) -> dict[str, Any]:
    known = CATALOGUE.get(str(line.get("itemNumber", "")), {})
    return {"line": place, "itemNumber": "", **known, "quantity": 1, **line}


def _json_or_text(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
