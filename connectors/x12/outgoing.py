"""The envelope of what is sent to a partner: ids and delimiters of the profile, numbers of the run's node."""

from __future__ import annotations

from connectors.sdk import Context, Misconfigured
from connectors.x12.codec import Delimiters, Envelope, X12Error
from connectors.x12.profile import Profile

MEDIA_TYPE = "application/edi-x12"


def outgoing(
    to: Profile, signs: Delimiters, context: Context, *, acknowledgement_requested: bool = False
) -> Envelope:
    """Allocates control numbers: the same for every retry of the node."""
    return Envelope(
        sender=to.ours.party(),
        receiver=to.theirs.party(),
        interchange_control_number=context.allocate(to.series("isa")),
        group_control_number=context.allocate(to.series("gs")),
        at=context.now(),
        usage=to.usage,
        version=to.version,
        delimiters=signs,
        acknowledgement_requested=acknowledgement_requested,
        encoding=to.encoding,
    )


def delimiters_of(to: Profile, partner: str) -> Delimiters:
    """Raises ``Misconfigured`` for delimiters that cannot work."""
    try:
        return to.signs()
    except X12Error as error:
        raise Misconfigured(
            f"partner {partner!r}: {error.message}",
            next_action=f"correct x12.delimiters in partners/{partner}.json",
            field="x12.delimiters",
        ) from None
