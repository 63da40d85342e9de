"""Logs: one JSON line each on standard error, without secrets and without payloads."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from pathlib import PurePath
from typing import Any, Final, TextIO, cast

import structlog

_SECRET = (
    "password", "secret", "token", "authorization", "api_key", "apikey", "passphrase", "private_key", "cookie",
)  # fmt: skip
_PAYLOAD = ("body", "payload", "raw", "document", "content")
_MOST_CAUSES: Final = 5
_MOST_FRAMES: Final = 25


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Members that name a secret or a payload are replaced, whatever they hold."""
    for name in event:
        lowered = name.lower()
        if any(word in lowered for word in _SECRET):
            event[name] = "[secret]"
        elif lowered in _PAYLOAD:
            event[name] = "[payload]"
    return event


def where_it_broke(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Instead of a trace, whose messages hold values: the type of the exception and of those that led to it, each
    with its frames as ``file:line function``, the innermost last."""
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        event["where"] = list(_told(error))
    return event


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1]  # type: ignore[no-any-return]
    return sys.exception() if given else None


def _told(error: BaseException) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < _MOST_CAUSES:
        seen.add(id(following))
        frames = traceback.extract_tb(following.__traceback__, limit=-_MOST_FRAMES)
        kind = type(following)
        yield {
            "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
            "frames": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
        }
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _short(file: str) -> str:
    """The last three parts tell a package's module; where it is installed says nothing."""
    return "/".join(PurePath(file).parts[-3:])


class _WithoutMessages(logging.Formatter):
    """For what libraries log by themselves."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 -- the name is logging's
        error = _exception(ei)
        return "" if error is None else json.dumps(list(_told(error)))


def _for_a_person() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


class _Unbroken:
    """A log that cannot be written (a full disk) stops no work. The next line that can be says before it how many
    lines may be missing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._missing = 0

    def write(self, text: str) -> None:
        """Whole lines."""
        told = f'{{"event": "log.gap", "level": "warning", "lines": {self._missing}}}\n' if self._missing else ""
        try:
            self._stream.write(told + text)
            self._stream.flush()
        except OSError:
            self._missing += 1
        else:
            self._missing = 0

    def flush(self) -> None:
        """Done by each ``write``."""


def set_up(level: str = "info", pretty: bool = False) -> None:
    """``pretty`` for a person, in colour at a terminal; JSON lines otherwise. Libraries speak from warnings
    upward."""
    threshold = getattr(logging, level.upper())
    render: Any = _for_a_person() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            redact,
            where_it_broke,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Unbroken(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(_WithoutMessages("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
    for noisy in ("paramiko", "zeep", "urllib3", "waitress", "apscheduler", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
