"""What is sent to a partner: the envelope of its profile, with numbers of the run's node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.edifact import codec
from connectors.edifact.codec import Envelope
from connectors.edifact.profile import Profile
from connectors.sdk import Context, Misconfigured

MEDIA_TYPE = "application/edifact"
Messages = Sequence[tuple[str, codec.Content]]


def outgoing(to: Profile, context: Context) -> Envelope:
    """The envelope before it has numbers; with groups where the profile wants them."""
    return Envelope(
        sender=to.ours.party(),
        receiver=to.theirs.party(),
        control_reference="0",
        at=context.now(),
        syntax=to.syntax,
        syntax_version=to.syntax_version,
        version=to.version,
        is_test=to.test,
        group_reference=0 if to.groups else None,
        application_reference=to.application_reference,
        agreement=to.agreement,
        acknowledgement_requested=to.acknowledgement_requested,
        delimiters=to.signs(),
        with_una=to.una,
        encoding=to.character_set,
        glue="\n" if to.line_ends else "",
        checks=to.judged(),
    )


def numbered(envelope: Envelope, to: Profile, context: Context) -> Envelope:
    """Allocates control numbers: the same for every retry of the node."""
    reference = str(context.allocate(to.series("unb")))
    group = None if envelope.group_reference is None else context.allocate(to.series("ung"))
    return replace(envelope, control_reference=reference, group_reference=group)


def content(envelope: Envelope, messages: Messages, partner: str) -> bytes:
    """Raises ``BusinessError`` for a document that breaks its schema, ``Misconfigured`` for a profile that cannot
    work."""
    try:
        return codec.write(codec.interchange(envelope, messages))
    except codec.EdifactError as error:
        raise Misconfigured(
            f"the profile of partner {partner!r} cannot be used to write: {error.message}",
            next_action=f"correct the edifact part of partners/{partner}.json: delimiters, character set, ids",
            field="edifact",
        ) from None
