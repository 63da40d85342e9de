"""The last part of the door, the same for what comes from outside and for ``call_flow``: is the document of the
kind that the flow accepts, what is its identity, what are its keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from connectors.sdk import BusinessError
from runtime.engine.client import Client
from runtime.mapping import Functions, is_expression
from runtime.mapping.schema import Violation, validate
from runtime.model.partner import PARTNER_NAME
from runtime.model.release import NotCanonical, Release, digest
from runtime.model.run import LANES, Caller, NewRun

#: C0, DEL and C1: no database, log or terminal may be asked to carry them in a name.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class NotAccepted(BusinessError):
    """The body does not meet the flow's ``accepts``; ``violations`` name every field."""

    def __init__(self, flow: str, schema: str, violations: list[Violation]) -> None:
        first = violations[0]
        super().__init__(
            f"{flow} accepts {schema}: {first.pointer or '/'}: {first.message}",
            kind="invalid_document", field=first.pointer,
        )  # fmt: skip
        self.violations = violations


class NotIdentified(BusinessError):
    """The document does not say what it is: ``identity`` gives no text, or one with control
    characters, and no whole number."""

    def __init__(self, flow: str, source: str) -> None:
        super().__init__(
            f"the identity {source} of {flow} gives neither text nor a whole number for this document; "
            "control characters name nothing",
            kind="invalid_document", field=source.lstrip("="),
            next_action="send the document with that field, or declare what makes it unique",
        )  # fmt: skip


@dataclass(frozen=True)
class Door:
    client: Client

    def new_run(
        self, release: Release, body: Any, *, source: str, identity: str | None = None, sum: str | None = None,
        **more: Any,
    ) -> NewRun:  # fmt: skip
        """Raises ``NotAccepted``, or an evaluation error of ``identity`` or ``keys``.

        ``identity`` is the source's own, used where the flow declares none; ``sum`` the digest of the bytes
        where a file's sameness is that of its bytes.
        """
        flow = release.flow
        accepts = flow.trigger.accepts
        if accepts is not None:
            violations = validate(release.schema(accepts), body)
            if violations:
                raise NotAccepted(flow.flow, accepts, violations)
        headers = more.get("headers", {})
        canonical = _digest(flow.flow, body)
        declared = self._identity(release, flow.identity, body, headers) if flow.identity else None
        keys = ((name, self._text(release, source_, body, headers)) for name, source_ in flow.keys.items())
        return NewRun(
            flow=flow.flow, version=flow.version, release=release.hash, body=body,
            digest=sum or canonical, source=source, identity=declared or identity,
            keys=tuple((name, value) for name, value in keys if value),
            order_key=self._text(release, flow.order_by, body, headers) if flow.order_by else None,
            lane=self._lane(release, body, headers), **more,
        )  # fmt: skip

    def _identity(self, release: Release, source: str, body: Any, headers: Any) -> str:
        """A flow that declares an identity takes nothing that has none: it could come twice."""
        found = self._text(release, source, body, headers)
        if found is None:
            raise NotIdentified(release.flow.flow, source)
        return found

    def _lane(self, release: Release, body: Any, headers: Any) -> str:
        """``urgent``, ``normal`` or ``bulk``; whatever else the rule says is ``normal``."""
        lane = self._text(release, release.flow.lane, body, headers)
        return lane if lane in LANES else "normal"

    def batched(self, release: Release, data: Any, headers: Any) -> tuple[str, bool]:
        """For which partner an event is collected, and whether it is urgent. Raises ``BusinessError`` where it
        names no partner, or an evaluation error."""
        batch = release.flow.trigger.batch
        assert batch is not None
        partner = self._value(release, batch.partner, data, headers, "trigger.batch")
        if not isinstance(partner, str) or not PARTNER_NAME.fullmatch(partner):
            raise BusinessError(
                f"{batch.partner} of {release.flow.flow} gives no name of a partner for this event",
                kind="invalid_document", field="trigger.batch.partner",
                next_action="publish the event with the name of its partner, as its file in partners/ is called",
            )  # fmt: skip
        return partner, self._value(release, batch.urgent, data, headers, "trigger.batch") is True

    def called(self, flow: str, body: Any, caller: Caller) -> NewRun:
        release = self.client.current(flow)
        return self.new_run(release, body, source="call", caller=caller)

    def _text(self, release: Release, source: str, body: Any, headers: Any) -> str | None:
        return word(self._value(release, source, body, headers))

    def _value(self, release: Release, source: str, body: Any, headers: Any, place: str = "identity") -> Any:
        if not is_expression(source):
            return source
        expression = release.expression(source[1:], f"{release.flow.flow}/{place}")
        bound = {"headers": headers, "client": {"id": self.client.id}, "env": dict(self.client.variables)}
        return expression.evaluate(body, {n: v for n, v in bound.items() if n in expression.variables}, Functions())


def _digest(flow: str, body: Any) -> str:
    """Also for files, whose sameness is that of their bytes: what has none could not be stored."""
    try:
        return digest(body)
    except NotCanonical as error:
        raise NotAccepted(flow, "canonical JSON (RFC 8785)", [Violation(error.field, error.why, "")]) from error


def word(value: Any) -> str | None:
    """Text without control characters and whole numbers can name something; nothing else does."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if text and not _CONTROL.search(text) else None
