"""The ``rest`` connector: settings, ``rest.request``, ``rest.download`` and ``rest.collect``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from connectors.rest.collecting import CollectParameters, hand_over, items_of
from connectors.rest.contract import checked_schema, hold
from connectors.rest.download import DownloadOutput, DownloadParameters, download
from connectors.rest.paging import NoPaging, Page, Paging, merged
from connectors.rest.sending import Part, multipart, type_of
from connectors.rest.transport import Validators, body_of, judge, lenient_body_of
from connectors.sdk import (
    Accept,
    Call,
    Check,
    Coerced,
    ConnectionContext,
    Connector,
    ConnectorError,
    Content,
    Context,
    Effect,
    Parameters,
    Poll,
)
from connectors.sdk.http import SAFE, HttpClient, HttpReply, HttpSettings, status_error
from connectors.sdk.http_settings import doubts

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
QueryValue = str | int | float | bool | list[str] | None


class RestSettings(HttpSettings):
    """A REST API."""

    check_path: str = Field(default="", description="path that a test of the connection gets", examples=["/health"])


class RequestParameters(Parameters):
    """One HTTP request."""

    method: Method = Field(default="GET", description="HTTP method", examples=["GET"])
    path: str = Field(
        default="", description="path below the connection's url, or a whole URL", examples=["/prices"]
    )
    query: dict[str, QueryValue] = Field(
        default={},
        description="query fields; null leaves one out, a list repeats it",
        examples=[{"items": "ITM-1001"}],
    )
    headers: dict[str, str] = Field(
        default={}, description="headers besides those of auth", examples=[{"Accept-Language": "en"}]
    )
    body: Any = Field(default=None, description="sent as JSON; null sends none", examples=[{"status": "ordered"}])
    content: Content | None = Field(
        default=None,
        description="sent as it is instead of body: a stored blob, or text as UTF-8; the type is the blob's, or"
        " Content-Type of headers",
        examples=["=edi.content"],
    )
    parts: Annotated[list[Part], Coerced] = Field(
        default=[],
        description="sent as multipart/form-data instead of body",
        examples=[[{"name": "note", "content": "Order 4500000001"}]],
    )
    paging: Paging = Field(
        default=NoPaging(),
        description="how the next page is found, GET only",
        examples=[{"type": "next", "items": "items", "next": "next"}],
    )
    output: Literal["body", "response"] = Field(
        default="body",
        description="body: the JSON of the reply, or the list of all pages; response: {status, headers, body}",
        examples=["body"],
    )
    ok: Annotated[list[int], Coerced] = Field(
        default=[],
        description="statuses that are fine, instead of all 2xx; 401 and 429 never are",
        examples=[[200, 404]],
    )

    expected: dict[str, Any] | None = Field(
        default=None,
        description="JSON Schema (2020-12) that the body of the reply, or the list of all pages, must meet",
        examples=[{"type": "object", "required": ["price"], "properties": {"price": {"type": "string"}}}],
    )

    @field_validator("expected")
    @classmethod
    def _is_schema(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if value is None else checked_schema(value)

    @model_validator(mode="after")
    def _pages_only_get(self) -> RequestParameters:
        if self.paging.type != "none" and self.method != "GET":
            raise ValueError(f"paging needs method GET, not {self.method}")
        return self

    @model_validator(mode="after")
    def _one_body(self) -> RequestParameters:
        given = [name for name in ("body", "content", "parts") if getattr(self, name) not in (None, [])]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given, and there is one body")
        return self


class Request(Call[RequestParameters]):
    """Call a REST API."""

    name = "request"
    Parameters = RequestParameters

    @classmethod
    def effect_of(cls, parameters: dict[str, Any]) -> Effect:
        """GET, HEAD and OPTIONS none, PUT and DELETE idempotent (RFC 9110 9.2), all else once."""
        method = str(parameters.get("method", "GET")).upper()
        if method in SAFE:
            return Effect.NONE
        return Effect.IDEMPOTENT if method in ("PUT", "DELETE") else Effect.ONCE

    def run(self, parameters: RequestParameters, context: Context) -> Any:
        client = _client(context)
        headers, content = _headers(parameters, context.effect_key), None
        if parameters.parts:
            content, kind = multipart(parameters.parts, context)
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            headers["Content-Type"] = kind
        elif parameters.content is not None:
            content = context.content(parameters.content)
            headers = {"Content-Type": type_of(parameters.content) or "text/plain; charset=utf-8"} | headers

        def fetch(page: Page | None) -> HttpReply:
            if page is not None and page.url is not None:
                return client.request("GET", page.url, headers=headers)
            query = {**parameters.query, **dict(page.cursor if page is not None else ())}
            return client.request(
                parameters.method, parameters.path, headers=headers, query=query, json=parameters.body,
                content=content,
            )  # fmt: skip

        if isinstance(parameters.paging, NoPaging):
            reply = fetch(None)
            judge(reply, parameters.ok)
            whole = parameters.output == "response"
            body = lenient_body_of(reply) if whole else body_of(reply, parameters.method)
        else:
            reply, body = merged(fetch, parameters.paging, parameters.ok)
        if parameters.expected is not None and reply.status != 304:
            hold(body, parameters.expected, reply, parameters.method)
        if parameters.output == "body":
            return body
        return {
            "status": reply.status,
            "headers": {name.lower(): value for name, value in reply.headers.items()},
            "body": body,
        }


class Download(Call[DownloadParameters]):
    """Download a document into the blob store."""

    name = "download"
    effect = Effect.NONE
    Parameters = DownloadParameters
    Output = DownloadOutput

    def run(self, parameters: DownloadParameters, context: Context) -> DownloadOutput:
        return download(parameters, context, _client(context))


class Collect(Poll[CollectParameters]):
    """Collect what is new from a REST API."""

    name = "collect"
    Parameters = CollectParameters

    def poll(self, parameters: CollectParameters, context: Context, accept: Accept) -> int:
        client, since = _client(context), parameters.since
        headers = {"Accept": "application/json"} | parameters.headers
        query: dict[str, Any] = dict(parameters.query)
        come_to = context.cursor()
        if since is not None:
            query[since.query] = since.asked(come_to)
        known = context.resource("rest.validators", Validators)
        asked = context.flow, f"{parameters.path} {query} {parameters.headers}"
        unpaged = isinstance(parameters.paging, NoPaging)
        if unpaged:
            headers = known.of(*asked) | headers
        last: list[HttpReply] = []

        def fetch(page: Page | None) -> HttpReply:
            if page is not None and page.url is not None:
                return client.request("GET", page.url, headers=headers)
            more = dict(page.cursor if page is not None else ())
            last[:] = [client.request("GET", parameters.path, headers=headers, query={**query, **more})]
            return last[0]

        count = hand_over(items_of(parameters, fetch), parameters, accept, come_to)
        if unpaged and last[0].status != 304:
            known.keep(*asked, last[0])
        return count


def _headers(parameters: RequestParameters, effect_key: str) -> dict[str, str]:
    """The node's own headers win. ``Idempotency-Key`` goes unquoted, as the servers that know it expect it."""
    ours = {"Accept": "application/json"}
    if parameters.method not in SAFE:
        ours["Idempotency-Key"] = effect_key
    given = {name.lower() for name in parameters.headers}
    return {name: value for name, value in ours.items() if name.lower() not in given} | parameters.headers


def _settings(context: ConnectionContext) -> RestSettings:
    settings = context.connection.settings
    assert isinstance(settings, RestSettings)
    return settings


def _client(context: ConnectionContext) -> HttpClient:
    settings = _settings(context)
    return context.resource("rest.client", lambda: HttpClient(settings, context.log), HttpClient.close)


def check(context: ConnectionContext) -> Check:
    """Gets ``check_path``; without one any answer to the base url but a failure or a 401 will do."""
    settings = _settings(context)
    try:
        reply = _client(context).request("GET", settings.check_path)
    except ConnectorError as error:
        return Check(False, error.message, error.next_action)
    problem = status_error(reply)
    if problem is None:
        return Check(True, f"{settings.url} answered {reply.status}")
    if reply.status in (404, 405) and not settings.check_path:
        return Check(True, f"{settings.url} answered {reply.status}, so it is there; set check_path to test more")
    return Check(False, problem.message, problem.next_action)


connector = Connector(
    name="rest",
    title="REST APIs (JSON over HTTP)",
    operations=(Request, Download, Collect),
    settings=RestSettings,
    check=check,
    doubts=doubts,
)
