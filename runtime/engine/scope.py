"""What an expression of a flow sees: the body as input, and the bound names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runtime.engine.client import Client
from runtime.mapping import MISSING, Expression, Functions, render
from runtime.model.ids import derived_uuid, effect_key
from runtime.model.release import Release
from runtime.model.run import Loaded, OutcomeRow


@dataclass(frozen=True)
class Unread:
    """A body that is still in the store."""

    read: Callable[[], Any]


@dataclass
class Frame:
    """One level of a walk: the flow itself, an item of ``for_each``, a branch of ``parallel``.

    ``nodes`` are the outcomes visible here; ``bound`` holds ``parent``, ``index`` and ``error`` where they exist.
    ``given`` is the body it begins with, or what reads it once it is used.
    """

    given: Any
    iteration: str = ""
    nodes: dict[str, OutcomeRow] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        if isinstance(self.given, Unread):
            self.given = self.given.read()
        return self.given

    def into(self, name: str, output: Any) -> None:
        """The only way a body changes."""
        if name == "$":
            self.given = output
        else:
            self.given = {**(self.body if isinstance(self.body, dict) else {}), name: output}


class Scope:
    """Evaluates the expressions of one run's nodes. ``checkpoint`` gives what ``$now()`` says, ``whole`` the
    payload of an outcome."""

    def __init__(
        self, client: Client, release: Release, loaded: Loaded, checkpoint: Callable[[], datetime],
        whole: Callable[[OutcomeRow], OutcomeRow],
    ) -> None:  # fmt: skip
        self._client = client
        self._release = release
        self._loaded = loaded
        self._checkpoint = checkpoint
        self._whole = whole
        self._fixed = {
            "headers": loaded.headers,
            "trigger": {"type": release.flow.trigger.type, "source": loaded.run.source},
            "client": {"id": client.id, "name": client.pack.file.name},
            "env": dict(client.variables),
        }

    def text(self, source: str, frame: Frame, node: str, body: Any = MISSING) -> Any:
        """The value of JSONata (without its ``=``); ``MISSING`` for undefined."""
        expression = self._release.expression(source, f"{self._release.flow.flow}/{node}")
        return self._evaluate(expression, frame.body if body is MISSING else body, frame, node)

    def value(self, template: Any, frame: Frame, node: str, body: Any = MISSING) -> Any:
        """A JSON template with every expression replaced; undefined members are left out."""
        return render(template, lambda source: self.text(source, frame, node, body))

    def true(self, template: str, frame: Frame, node: str, body: Any = MISSING) -> bool:
        return self.value(template, frame, node, body) is True

    def mapping(self, name: str, document: Any, frame: Frame, node: str) -> Any:
        return self._evaluate(self._release.mapping(name), document, frame, node)

    def _evaluate(self, expression: Expression, body: Any, frame: Frame, node: str) -> Any:
        functions = self._functions(frame, node) if expression.asks_run else None
        return expression.evaluate(body, self._bindings(expression, frame, node), functions)

    def _bindings(self, expression: Expression, frame: Frame, node: str) -> Mapping[str, Any]:
        bound: dict[str, Any] = {}
        wanted = expression.variables
        for name in wanted & self._fixed.keys():
            bound[name] = self._fixed[name]
        for name in wanted & frame.bound.keys():
            bound[name] = frame.bound[name]
        if "run" in wanted:
            run = self._loaded.run
            bound["run"] = {
                "id": run.id, "flow": run.flow, "version": run.version, "created_at": run.created_at.isoformat(),
                "effect_key": effect_key(run.id, node, frame.iteration),
            }  # fmt: skip
        if expression.all_nodes:
            bound["nodes"] = {id: self._whole(row).output for id, row in frame.nodes.items()}
        elif expression.node_ids:
            bound["nodes"] = {
                id: self._whole(frame.nodes[id]).output for id in expression.node_ids if id in frame.nodes
            }
        return bound

    def _functions(self, frame: Frame, node: str) -> Functions:
        calls = iter(range(1_000_000))
        run = self._loaded.run.id

        def map_with(name: str, document: Any) -> Any:
            made = self.mapping(name, document, frame, node)
            return None if made is MISSING else made

        return Functions(
            now=lambda: self._checkpoint().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            millis=lambda: int(self._checkpoint().timestamp() * 1000),
            uuid=lambda: derived_uuid(run, node, frame.iteration, next(calls)),
            map_with=map_with,
            resolve=self._client.masterdata.resolve,
        )
