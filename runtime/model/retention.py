"""How long finished runs are kept: ``retention`` of ``pack.json``."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from connectors.sdk import Duration
from connectors.sdk.model import Model
from runtime.model.run import RunState


class Retention(Model):
    """Ages count from when a run finished. What is not over, and what somebody still has to see to, is kept
    however old it is; so are identities, so that a duplicate stays a duplicate for good.

    Interchanges go after their runs, once they are older than the partner's window for duplicates; the last number
    that came from a partner, and the last of each series of ours, stay."""

    default: Duration | None = Field(
        default=None, description="age at which finished runs are removed; absent: never", examples=["365d"]
    )
    flows: dict[str, Duration] = Field(
        default={}, description="ages by flow; they go before those by state", examples=[{"supplier_inbox": "30d"}]
    )
    states: dict[Literal["done", "cancelled"], Duration] = Field(
        default={}, description="ages by state; they go before the default", examples=[{"cancelled": "7d"}]
    )
    events: Duration | None = Field(
        default=None, description="age at which events are removed; absent: the default", examples=["90d"]
    )

    raw: dict[str, Duration] = Field(
        default={},
        description="ages by media type at which the bytes as they came are removed, before their runs are",
        examples=[{"application/hl7-v2": "30d"}],
    )

    def age(self, flow: str, state: RunState) -> timedelta | None:
        """``None``: kept for good."""
        by_state = {RunState(name): age for name, age in self.states.items()}
        return self.flows.get(flow, by_state.get(state, self.default))

    @property
    def shortest(self) -> timedelta | None:
        """The age that no run is removed before; ``None`` where none is ever."""
        ages = (self.default, *self.flows.values(), *self.states.values())
        return min((age for age in ages if age is not None), default=None)

    @property
    def age_of_events(self) -> timedelta | None:
        return self.events if self.events is not None else self.default

    def __bool__(self) -> bool:
        """Whether anything is ever removed."""
        return bool(self.raw or self.flows or self.states or self.default is not None or self.events is not None)
