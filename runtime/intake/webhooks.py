"""Webhooks: authenticate, take, answer. ``/hooks/<client>/<flow>`` and the status of what was accepted."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, jsonify, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from connectors.sdk import Arrival, Misconfigured
from connectors.sdk.webhooks import SignatureRefused, verify
from runtime.access import ApiKeys, KeyRefused
from runtime.engine.advance import Engine
from runtime.engine.client import Client, Clients
from runtime.engine.dispatcher import Ring
from runtime.intake.accept import Intake, NotTaken
from runtime.intake.admission import Admission, Overloaded
from runtime.intake.problem import of_not_taken, problem, too_large
from runtime.intake.refusals import Refusals
from runtime.intake.tokens import RunTokens
from runtime.model.doors import HmacDoor
from runtime.model.flow import Flow, Reply
from runtime.model.run import FINISHED, Created, Lease, RunState
from runtime.store.store import NotFound, Unavailable

log = structlog.get_logger()

#: A secret that nobody has.
_NOBODYS = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
_KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id")
_READABLE = frozenset(
    f"application/{kind}" for kind in ("json", "x12", "edi-x12", "edifact", "hl7-v2", "xml", "octet-stream")
) | {"text/plain", "text/xml", "text/csv"}


@dataclass(frozen=True)
class Webhooks:
    clients: Clients
    engine: Engine
    ring: Ring
    tokens: RunTokens
    keys: Callable[[str], ApiKeys]
    clock: Callable[[], datetime]
    admission: Admission | None = None

    @cached_property
    def refusals(self) -> Refusals:
        return Refusals(self.clock)

    def blueprint(self) -> Blueprint:
        hooks = Blueprint("hooks", __name__)
        hooks.post("/hooks/<client>/<flow>")(self.receive)
        hooks.get("/hooks/<client>/runs/<run>")(self.status)
        hooks.register_error_handler(
            RequestEntityTooLarge, lambda _: too_large(current_app.config["MAX_CONTENT_LENGTH"])
        )
        return hooks

    def receive(self, client: str, flow: str) -> Response:
        """Nothing of the body is parsed before the sender is known; an unknown flow looks like a refusal."""
        raw = request.get_data(cache=False)
        if client not in self.clients:
            return self._refused(raw, client, flow, "there is no such client here", known=False)
        known = self.clients[client]
        release = known.registry.releases.get(flow)
        if release is None or release.flow.trigger.type != "webhook":
            return self._not_there(known, flow, raw)
        deployed = known.current(flow)
        try:
            self._authenticate(known, deployed.flow, raw)
        except (SignatureRefused, KeyRefused) as error:
            return self._refused(raw, client, flow, str(error), known=True)
        except Misconfigured as error:
            self.refusals.tell(
                log.error, "webhook.door", client, flow, error.message, known=True, next_action=error.next_action
            )
            return _later(503, "this address is not set up; its owner has been told", 60)
        media = (request.content_type or "").partition(";")[0].strip().lower()
        decoded = deployed.flow.trigger.decode is not None
        if not media.endswith("json") and not (decoded and media in _READABLE):
            told = f"{media or 'none'} came; send {'what the flow decodes' if decoded else 'application/json'}"
            return problem(415, "This content type is not taken", told, "content_type")
        if request.content_encoding not in (None, "", "identity"):
            told = f"{request.content_encoding} came; send the body as it is"
            return problem(415, "This content encoding is not taken", told, "content_encoding")
        return self._take(known, deployed.flow, raw, media)

    def _refused(self, raw: bytes, client: str, flow: str, why: str, *, known: bool) -> Response:
        """The log hears why. The answer depends on nothing but the request, so that it does not tell which clients
        and flows there are, nor how their senders say who they are."""
        self.refusals.tell(
            log.warning, "webhook.refused", client, flow, why, known=known, sender=request.remote_addr
        )
        try:
            verify([_NOBODYS], dict(request.headers), raw, self.clock())
        except SignatureRefused as error:
            if error.reason != "missing":
                return problem(401, "The signature does not hold", str(error), "bad_signature")
        return _unauthenticated()

    def _not_there(self, client: Client, flow: str, raw: bytes) -> Response:
        """Whoever has a key for that name is told what is wrong with it; to anybody else it is forbidden."""
        try:
            self._by_key(client, flow)
        except KeyRefused as error:
            why = f"there is no webhook of that name, and {error}"
            return self._refused(raw, client.id, flow, why, known=flow in client.registry.out)
        if flow in client.registry.out:
            return _later(503, f"flow {flow} is out because of a mistake in its file", 60)
        return problem(404, "No such webhook", f"there is no flow {flow} with a webhook", "not_found")

    def _authenticate(self, client: Client, flow: Flow, raw: bytes) -> None:
        """Raises ``SignatureRefused``, ``KeyRefused``, and ``Misconfigured`` for a door that nobody can open."""
        door = client.peers.door(flow.trigger.auth) if flow.trigger.auth is not None else None
        if isinstance(door, HmacDoor):
            verify(door.all(), dict(request.headers), raw, self.clock())
        else:
            self._by_key(client, flow.flow)

    def _by_key(self, client: Client, flow: str) -> None:
        """Raises ``KeyRefused``."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.keys(client.id).verify(bearer or request.headers.get("x-api-key", ""), f"hooks:{flow}")

    def _take(self, client: Client, flow: Flow, raw: bytes, media: str) -> Response:
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        intake = Intake(client, self.ring, self.clock, self.admission)
        inline = isinstance(flow.trigger.reply, Reply)
        owner, seconds = (self.engine.leases.owner, self.engine.settings.lease) if inline else ("", 0.0)
        try:
            created = intake.take(flow.flow, Arrival(raw, media, headers), "webhook", owner=owner, seconds=seconds)
        except NotTaken as refused:
            return of_not_taken(refused)
        except Overloaded as error:
            return _later(error.status, f"{error}; send it again in {error.retry_after} s", error.retry_after)
        except Unavailable as error:
            return _later(503, f"{error}; send it again", 5)
        if created.duplicate:
            return self._again(client, created)
        if created.lease is not None:
            assert isinstance(flow.trigger.reply, Reply)
            within = flow.trigger.reply.result.within.total_seconds()
            return self._result(client, created, created.lease, time.monotonic() + within)
        self.ring(created.run, created.lane)
        return self._accepted(client.id, created.run, created.state)

    def _result(self, client: Client, created: Created, lease: Lease, deadline: float) -> Response:
        """This thread goes on with the run until its reply is decided, or its time is over."""
        advanced = self.engine.go_on(lease, until_reply=True, deadline=deadline)
        if advanced.reply is not None:
            return _stored(advanced.reply)
        return self._accepted(client.id, created.run, advanced.state or created.state)

    def _accepted(self, client: str, run: str, state: RunState) -> Response:
        token = self.tokens.make(run, self.clock().timestamp())
        url = url_for("hooks.status", client=client, run=run, token=token)
        answer: Response = jsonify(run=run, state=str(state), status_url=url)
        answer.status_code = 202
        return answer

    def _again(self, client: Client, created: Created) -> Response:
        try:
            run = client.store.run(created.run)
        except NotFound:
            # Removed after its time: the identity still knows that it came, and that it was finished.
            gone: Response = jsonify(run=created.run, state=str(created.state))
            return gone
        if run.reply is not None:
            return _stored(run.reply)
        answer: Response = jsonify(run=run.id, state=str(run.state))
        return answer

    def status(self, client: str, run: str) -> Response:
        token = request.args.get("token", "")
        if client not in self.clients or not self.tokens.holds(run, token, self.clock().timestamp()):
            return _unauthenticated()
        try:
            found = self.clients[client].store.run(run)
        except NotFound:
            return _unauthenticated()
        shown: Mapping[str, Any] = {"run": found.id, "state": str(found.state)}
        if found.state in FINISHED:
            shown = {**shown, "outcome": found.outcome}
        answer: Response = jsonify(shown)
        return answer


def _later(status: int, detail: str, seconds: int) -> Response:
    answer = problem(status, "Not stored", detail, "overloaded" if status == 429 else "unavailable")
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _stored(reply: Mapping[str, Any]) -> Response:
    answer: Response = jsonify(reply["body"])
    answer.status_code = int(reply["status"])
    return answer


def _unauthenticated() -> Response:
    answer = problem(
        401, "Not authenticated", "send a valid signature or API key for this address", "unauthenticated"
    )
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
