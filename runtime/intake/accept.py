"""The one door: decode, map, check, identify, store; only then acknowledge.

Authentication came before. What fails at the door of a webhook is the sender's to mend (``Refused``, nothing is
stored); what fails for a file or a listener is stored as an exception, because nobody stands at the other end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from connectors.sdk import Arrival, ConnectorError, NotSent, Receipt
from connectors.sdk.json import parse_json
from runtime.engine.client import Client
from runtime.engine.context import NodeContext
from runtime.engine.dispatcher import Ring
from runtime.engine.door import Door, NotAccepted, NotIdentified
from runtime.engine.effects import operation
from runtime.intake.admission import Admission
from runtime.intake.arrived import ArrivedBlobs
from runtime.intake.waiting import Waiting
from runtime.mapping import MISSING, EvaluationError, ExpressionError, Functions
from runtime.mapping.schema import Violation
from runtime.model.release import Release
from runtime.model.run import LANES, Created, ExceptionRow, NewRun
from runtime.store.store import IdentityConflict, StoreError, Unavailable

log = structlog.get_logger()


class NotTaken(Exception):
    """The message cannot be taken as it is; nothing of it counts as accepted.

    ``status`` is the HTTP status that says so, ``title`` and ``detail`` go into a problem document (RFC 9457),
    ``violations`` name the fields, ``code`` is that of whoever read it, else the rule of the schema that it breaks.
    """

    def __init__(
        self, status: int, title: str, detail: str, *, kind: str, violations: list[Violation] | None = None,
        field: str = "", run: str | None = None, code: str = "",
    ) -> None:  # fmt: skip
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.kind = kind
        self.violations = violations or []
        self.field = field
        self.run = run
        self.code = code


@dataclass(frozen=True)
class Intake:
    """The door of one client. ``ring`` wakes a new run; ``admission`` says whether there is room for one."""

    client: Client
    ring: Ring
    clock: Callable[[], datetime]
    admission: Admission | None = None

    def take(
        self, flow: str, arrival: Arrival, source: str, *, sum_of_bytes: bool = False, owner: str = "",
        seconds: float = 0.0,
    ) -> Created:  # fmt: skip
        """Stores and returns; the caller rings, or goes on itself where it asked for the lease as ``owner``.
        Raises ``NotTaken``, or ``Unavailable`` where it cannot be kept (``Overloaded`` for now).

        ``sum_of_bytes``: sameness is that of the bytes (files), not of the mapped body.
        """
        release = self.client.current(flow)
        self._check(release.flow.lane if release.flow.lane in LANES else "")
        blobs = ArrivedBlobs(arrival, self.client.store.blobs)
        body = self._map(release, self._decode(release, arrival, blobs), arrival.headers)
        new = self._new(release, body, arrival, blobs, source, sum_of_bytes)
        self._check(new.lane)
        return self._store(new, owner, seconds)

    def take_raw(
        self, flow: str, arrival: Arrival, source: str, *, sum_of_bytes: bool, patience: float = 0.0,
        waiting: Waiting | None = None,
    ) -> Receipt:  # fmt: skip
        """For files and listeners: what cannot be taken is stored as an exception. Where there is no room it waits
        for some, ``patience`` seconds at most, so that a listener reads nothing more meanwhile. With ``waiting``
        this thread goes on with the run and the receipt says what it came to. Raises ``NotSent`` where the store
        cannot keep it."""
        owner, seconds = (waiting.owner, waiting.lease) if waiting else ("", 0.0)
        try:
            try:
                created = self._patiently(
                    patience,
                    lambda: self.take(
                        flow, arrival, source, sum_of_bytes=sum_of_bytes, owner=owner, seconds=seconds
                    ),
                )
            except NotTaken as refused:
                return self._except(flow, arrival, refused)
            except (ConnectorError, StoreError):
                raise
            except Exception as error:
                log.error("message.bug", client=self.client.id, flow=flow, exc_info=True)
                return self._except(flow, arrival, _broke(error))
        except Unavailable as error:
            raise NotSent(f"not stored: {error}", next_action="send it again later") from error
        if waiting is not None:
            if arrival.on_stored is not None:
                arrival.on_stored()
            return waiting.receipt(created)
        self.ring(created.run, created.lane)
        return Receipt("duplicate" if created.duplicate else "accepted", created.run)

    def _check(self, lane: str) -> None:
        if self.admission is not None:
            self.admission.check(lane)

    def _patiently(self, seconds: float, take: Callable[[], Created]) -> Created:
        return take() if self.admission is None else self.admission.patiently(seconds, take)

    def _decode(self, release: Release, arrival: Arrival, blobs: ArrivedBlobs) -> Any:
        decode = release.flow.trigger.decode
        if decode is None:
            return self._without_decoder(arrival, blobs)
        context = NodeContext(
            self.client, None, release.content["partners"], self.clock,
            flow=release.flow.flow, run="", node="decode", iteration="", blobs=blobs,
        )  # fmt: skip
        found = operation(decode.type)
        try:
            given = found.Parameters.model_validate(
                {"content": blobs.ref.model_dump(by_alias=True), **decode.parameters}
            )
            result = found().run(given, context)
        except ConnectorError as error:
            raise NotTaken(
                400, "The message cannot be read", error.message,
                kind="unreadable", field=getattr(error, "field", ""), code=error.code,
            ) from error  # fmt: skip
        except StoreError:
            raise
        except Exception as error:
            log.error("decoder.bug", client=self.client.id, flow=release.flow.flow, type=decode.type, exc_info=True)
            raise _broke(error) from error
        return result.model_dump(mode="json", by_alias=True) if hasattr(result, "model_dump") else result

    def _without_decoder(self, arrival: Arrival, blobs: ArrivedBlobs) -> Any:
        """JSON as it is; anything else by reference, with the facts of its transport."""
        if arrival.content_type.partition(";")[0].strip().lower().endswith("json"):
            try:
                return parse_json(arrival.raw)
            except ValueError as error:
                raise NotTaken(400, "The body is not JSON", str(error), kind="malformed_json") from error
        return {"content": blobs.ref.model_dump(by_alias=True), "headers": dict(arrival.headers)}

    def _map(self, release: Release, body: Any, headers: Mapping[str, str]) -> Any:
        name = release.flow.trigger.mapping
        if name is None:
            return body
        try:
            made = release.mapping(name).evaluate(
                body, {"headers": dict(headers)}, self._mapping_functions(release)
            )
        except (EvaluationError, ExpressionError) as error:
            raise NotTaken(422, "The message cannot be mapped", str(error), kind="unmappable") from error
        return None if made is MISSING else made

    def _mapping_functions(self, release: Release) -> Functions:
        def map_with(name: str, document: Any) -> Any:
            made = release.mapping(name).evaluate(document, {}, self._mapping_functions(release))
            return None if made is MISSING else made

        now = self.clock()
        return Functions(
            now=lambda: now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            millis=lambda: int(now.timestamp() * 1000),
            map_with=map_with,
            resolve=self.client.masterdata.resolve,
        )

    def _new(
        self, release: Release, body: Any, arrival: Arrival, blobs: ArrivedBlobs, source: str, of_bytes: bool
    ) -> NewRun:
        sum = blobs.digest if of_bytes else None
        try:
            return Door(self.client).new_run(
                release, body, source=source, identity=arrival.identity, sum=sum,
                headers=dict(arrival.headers), raw=blobs.ref.blob,
                raw_bytes=blobs.kept, content_type=arrival.content_type, cursor=arrival.cursor,
            )  # fmt: skip
        except NotAccepted as error:
            raise NotTaken(
                422, "The document does not meet its schema", error.message,
                kind=error.kind, violations=error.violations, field=error.field, code=error.violations[0].rule,
            ) from error  # fmt: skip
        except NotIdentified as error:
            raise NotTaken(
                422, "The document does not say what it is", f"{error.message}; {error.next_action}",
                kind=error.kind, field=error.field,
            ) from error  # fmt: skip
        except (EvaluationError, ExpressionError) as error:
            raise NotTaken(422, "Identity or keys cannot be found", str(error), kind="unmappable") from error

    def _store(self, new: NewRun, owner: str, seconds: float) -> Created:
        try:
            return self.client.store.create_run(new, owner, seconds)
        except IdentityConflict as conflict:
            raise NotTaken(
                409, "Another document came under this identity before",
                f"{conflict.identity} was accepted as run {conflict.run} with another body; "
                "send a correction with a new revision",
                kind="identity_conflict", run=conflict.run,
            ) from conflict  # fmt: skip

    def _except(self, flow: str, arrival: Arrival, refused: NotTaken) -> Receipt:
        owner = self.client.current(flow).flow.owner
        ref = self.client.store.blobs.put(arrival.raw, arrival.content_type)
        same = {"identity": arrival.identity} if arrival.identity else {}
        id = self.client.store.raise_exception(
            ExceptionRow(
                kind=refused.kind, owner=owner, message=f"{refused.title}: {refused.detail}", field=refused.field,
                details={"headers": dict(arrival.headers), **same}, raw=ref.blob, flow=flow,
            ),
            arrival.cursor,
        )  # fmt: skip
        log.warning("message.excepted", client=self.client.id, flow=flow, kind=refused.kind, exception=id)
        told = {"title": refused.title, "detail": refused.field or f"exception {id}", "field": refused.field}
        return Receipt("excepted", None, {**told, "kind": refused.kind, "code": refused.code, "exception": id})


def _broke(error: Exception) -> NotTaken:
    """A message that meets a mistake of ours must not keep those behind it waiting."""
    told = f"reading it broke with {type(error).__name__}; the log says where"
    return NotTaken(400, "The message cannot be read", told, kind="unreadable")
