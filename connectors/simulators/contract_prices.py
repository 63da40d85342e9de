"""A purchasing group's contract price API: REST with OAuth2 client credentials, paging and rate limits.

Journal: ``token`` (client_id), ``prices`` (items, page, found), ``limited`` (retry_after), ``refused``
(path, status, error).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlencode

from connectors.sdk import Simulator
from connectors.simulators.json_endpoint import Answer, Asked, JsonEndpoint

PAGE_SIZE: Final = 2

#: Item -> contract price. ITM-2002 has none: it is bought off contract.
PRICES: Final[Mapping[str, Mapping[str, str]]] = {
    "ITM-1001": {"contract": "GPO-7731", "price": "11.20", "currency": "USD", "unit": "BX"},
    "ITM-1002": {"contract": "GPO-7731", "price": "7.45", "currency": "USD", "unit": "BX"},
    "ITM-1003": {"contract": "GPO-7731", "price": "24.00", "currency": "USD", "unit": "EA"},
    "ITM-2001": {"contract": "GPO-8102", "price": "1850.00", "currency": "USD", "unit": "EA"},
    "ITM-3001": {"contract": "GPO-9044", "price": "2400.00", "currency": "USD", "unit": "EA"},
}


class ContractPrices(Simulator):
    """Settings: ``client_id`` and ``client_secret``, ``prices`` (item -> fields), ``token_seconds``.

    ``GET /prices?items=A,B&page=1`` answers ``{"items": [{item, contract, price, currency, unit}], "next":
    URL or null}``, two items a page, in the order asked; items without a contract are absent.
    """

    def __init__(
        self,
        *,
        client_id: str = "orderly",
        client_secret: str = "prices-demo-secret",  # noqa: S107 -- invented, for loopback only
        prices: Mapping[str, Mapping[str, str]] = PRICES,
        token_seconds: int = 3600,
    ) -> None:
        super().__init__(
            client_id=client_id, client_secret=client_secret, prices=prices, token_seconds=token_seconds
        )
        self._client = (client_id, client_secret)
        self._prices = prices
        self._token_seconds = token_seconds
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._limited = 0
        self._retry_after = 1
        self._url = ""
        self._endpoint = JsonEndpoint("contract-prices", self._answer)

    def start(self) -> Mapping[str, str]:
        """Endpoints ``url`` (base of the API) and ``token_url``."""
        self._url = self._endpoint.open()
        return {"url": self._url, "token_url": f"{self._url}/oauth/token"}

    def stop(self) -> None:
        self._endpoint.close()

    def limit_next(self, n: int, retry_after: int = 1) -> None:
        """The next ``n`` requests for prices are answered 429 with ``Retry-After`` in seconds."""
        with self._lock:
            self._limited, self._retry_after = n, retry_after

    def forget_tokens(self) -> None:
        """Tokens given so far are no longer accepted."""
        with self._lock:
            self._tokens.clear()

    def _answer(self, asked: Asked) -> Answer:
        if (asked.method, asked.path) == ("POST", "/oauth/token"):
            return self._give_token(asked)
        if (asked.method, asked.path) == ("GET", "/prices"):
            return self._give_prices(asked)
        return self._refuse(asked, 404, "not_found")

    def _give_token(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return self._refuse(asked, 400, "unsupported_grant_type")
        claimed = _basic(asked.headers.get("authorization", "")) or (
            form.get("client_id", ""),
            form.get("client_secret", ""),
        )
        if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(claimed, self._client, strict=True)):
            return self._refuse(asked, 401, "invalid_client", {"WWW-Authenticate": 'Basic realm="prices"'})
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = time.monotonic() + self._token_seconds
        self.journal.write("token", client_id=claimed[0])
        return Answer(
            200,
            {"access_token": token, "token_type": "Bearer", "expires_in": self._token_seconds},
            {"Cache-Control": "no-store"},
        )

    def _give_prices(self, asked: Asked) -> Answer:
        with self._lock:
            good_until = self._tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "), 0.0)
            limited = self._limited > 0
            self._limited -= limited
        if good_until <= time.monotonic():
            return self._refuse(asked, 401, "invalid_token", {"WWW-Authenticate": "Bearer"})
        if limited:
            self.journal.write("limited", retry_after=self._retry_after)
            return Answer(429, {"error": "rate_limited"}, {"Retry-After": str(self._retry_after)})
        page = asked.query.get("page", "1")
        if not page.isdecimal() or int(page) < 1:
            return self._refuse(asked, 400, "invalid_page")
        return Answer(200, self._page(asked.query.get("items", ""), int(page)))

    def _page(self, items: str, page: int) -> dict[str, Any]:
        known = [item for item in dict.fromkeys(items.split(",")) if item in self._prices]
        found = known[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        more = len(known) > page * PAGE_SIZE
        self.journal.write("prices", items=items.split(","), page=page, found=found)
        return {
            "items": [{"item": item, **self._prices[item]} for item in found],
            "next": f"{self._url}/prices?{urlencode({'items': items, 'page': page + 1})}" if more else None,
        }

    def _refuse(self, asked: Asked, status: int, error: str, headers: Mapping[str, str] | None = None) -> Answer:
        self.journal.write("refused", path=asked.path, status=status, error=error)
        return Answer(status, {"error": error}, headers or {})


def _basic(header: str) -> tuple[str, str] | None:
    """RFC 6749 2.3.1: both parts form-encoded, then RFC 7617."""
    if not header.startswith("Basic "):
        return None
    try:
        user, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote_plus(user), unquote_plus(password)
