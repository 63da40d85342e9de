"""Operations: one object holds an operation's name, parameters, promises and behaviour."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from connectors.sdk.context import Accept, Context, Listening
from connectors.sdk.model import Output, Parameters


class Role(StrEnum):
    """``source`` starts flows, ``call`` reaches a peer or the Context, ``read`` and ``write`` are codecs."""

    SOURCE = "source"
    CALL = "call"
    READ = "read"
    WRITE = "write"


class Effect(StrEnum):
    """What repeating does: nothing, nothing more, or the thing once again."""

    NONE = "none"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


@dataclass(frozen=True)
class Outcome:
    """A result under a name other than the operation's first outcome."""

    name: str
    output: Any


P = TypeVar("P", bound=Parameters)


class Operation(ABC, Generic[P]):
    """Declared by subclassing ``Call``, ``Read``, ``Write``, ``Poll`` or ``Listen``.

    The class docstring's first line is the title in references and forms.
    """

    name: ClassVar[str]
    role: ClassVar[Role]
    effect: ClassVar[Effect] = Effect.NONE
    outcomes: ClassVar[tuple[str, ...]] = ("done",)
    Parameters: ClassVar[type[Parameters]]
    Output: ClassVar[type[Output] | None] = None
    #: What the settings of its connection must say for it, such as ``{"direction": "send"}``.
    needs: ClassVar[Mapping[str, str]] = {}
    #: Names of parameters, at any depth, that stand in the flow as they are: an expression there is a lint error.
    literal: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def effect_of(cls, parameters: dict[str, Any]) -> Effect:
        """The default effect for these parameters as written in the flow (a GET is none, a POST once)."""
        return cls.effect

    @classmethod
    def title(cls) -> str:
        return (cls.__doc__ or cls.name).strip().splitlines()[0]


class Step(Operation[P]):
    """An operation that a node of a flow may run."""

    @abstractmethod
    def run(self, parameters: P, context: Context) -> Any:
        """Returns JSON or an ``Output`` for the first outcome, or an ``Outcome`` for another one.

        Raises only the errors of ``connectors.sdk.errors``.
        """


class Call(Step[P]):
    """Reaches a peer, or the Context."""

    role = Role.CALL
    effect = Effect.ONCE


class Read(Step[P]):
    """Turns bytes into JSON."""

    role = Role.READ


class Write(Step[P]):
    """Turns JSON into bytes."""

    role = Role.WRITE


class Poll(Operation[P]):
    """A source that is asked now and then; a trigger's ``every`` says how often."""

    role = Role.SOURCE

    @abstractmethod
    def poll(self, parameters: P, context: Context, accept: Accept) -> int:
        """Hands over what is there, one message at a time; returns how many. Archives, deletes or
        acknowledges a message only after ``accept`` returned for it."""


class Listen(Operation[P]):
    """A source that waits for peers to connect."""

    role = Role.SOURCE

    @abstractmethod
    def listen(self, parameters: P, context: Context, accept: Accept) -> Listening:
        """Binds and returns at once; serves on threads of its own until closed."""
