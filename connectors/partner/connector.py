"""What a partner's profile says for flows: by when they have to send what follows an order, and where they are
reached."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from connectors.sdk import Call, Connector, Context, Effect, Misconfigured, Output, Parameters
from connectors.sdk.partner import terms_of


def _listed(value: object) -> object:
    """JSONata gives one item as itself."""
    return value if isinstance(value, list) else [] if value is None else [value]


class AwaitingParameters(Parameters):
    partner: str = Field(min_length=1, description="name of the partner who has to send it", examples=["acme"])
    promised: Annotated[list[date], BeforeValidator(_listed)] = Field(
        default=[],
        description="dates that the acknowledgement promises; a single one need not be in a list",
        examples=[["2026-12-04", "2026-12-15"]],
    )


class AwaitingOutput(Output):
    """Durations for the ``within`` of an ``expect``; empty where it is not awaited. ``ship_notice`` counts from now
    on, once the order is acknowledged; the others are the profile's."""

    interchange: str
    functional: str
    business: str
    ship_notice: str
    invoice: str


class Awaiting(Call[AwaitingParameters]):
    """By when a partner has to send what follows an order, by its profile's ``awaiting``.

    A partner without a profile speaks no EDI: of it nothing is awaited. Raises ``Misconfigured`` for a profile that
    cannot be used.
    """

    name = "awaiting"
    effect = Effect.NONE
    Parameters: ClassVar[type[Parameters]] = AwaitingParameters
    Output: ClassVar[type[Output] | None] = AwaitingOutput

    def run(self, parameters: AwaitingParameters, context: Context) -> AwaitingOutput:
        name = parameters.partner
        if name not in context.partners():
            return AwaitingOutput(interchange="", functional="", business="", ship_notice="", invoice="")
        said = terms_of(name, context.partner(name)).awaiting
        notice = said.ship_notice_within(parameters.promised, context.now())
        return AwaitingOutput(
            interchange=said.interchange,
            functional=said.functional,
            business=said.business,
            ship_notice="" if notice is None else f"{notice // timedelta(milliseconds=1)}ms",
            invoice=said.invoice,
        )


class DeliveryParameters(Parameters):
    partner: str = Field(
        min_length=1, description="name of the partner who is to be sent something", examples=["acme"]
    )


class DeliveryOutput(Output):
    """For a node that delivers: ``"connection": "=delivery.connection"``. ``folder`` ends without a slash: the root
    is empty."""

    connection: str
    folder: str


class Deliver(Call[DeliveryParameters]):
    """Where a partner is sent its documents, by its profile's ``delivery``.

    Raises ``Misconfigured`` where there is no such profile, or it does not say.
    """

    name = "delivery"
    effect = Effect.NONE
    Parameters: ClassVar[type[Parameters]] = DeliveryParameters
    Output: ClassVar[type[Output] | None] = DeliveryOutput

    def run(self, parameters: DeliveryParameters, context: Context) -> DeliveryOutput:
        name = parameters.partner
        said = terms_of(name, context.partner(name)).delivery
        if said is None:
            raise Misconfigured(
                f"the profile of partner {name!r} does not say where what they are sent is put",
                next_action=f'add "delivery": {{"connection": …, "folder": "/in"}} to partners/{name}.json',
                field="delivery",
            )
        return DeliveryOutput(connection=said.connection, folder=said.folder.rstrip("/"))


connector = Connector(name="partner", title="Trading partners", operations=(Awaiting, Deliver))
