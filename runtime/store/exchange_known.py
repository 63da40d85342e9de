"""What the exchange ledger knows of an interchange that comes in: duplicates, reused numbers, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select

from connectors.sdk.exchange import Earlier, Exchanged, Known
from connectors.sdk.model import BlobRef
from runtime.model.run import RunState
from runtime.store import tables
from runtime.store.shapes import instant
from runtime.store.statements import Statement, Tx, word

_interchange, _set, _run = tables.interchange, tables.interchange_set, tables.run
#: After every id that there is.
_END = "~"
_OF_PARTNER = [
    *(_interchange.c[name] == bindparam(name) for name in ("client", "standard", "partner", "usage")),
    _interchange.c.direction == word("in"),
    _interchange.c.id < bindparam("before"),
]
_HELD = Statement(
    select(
        *(_interchange.c[name] for name in ("id", "run", "node", "state", "digest", "at", "answer")), _run.c.state,
    )
    .outerjoin_from(_interchange, _run, _run.c.id == _interchange.c.run)
    .where(
        *_OF_PARTNER, _interchange.c.number == bindparam("number"),
        _interchange.c.state.in_([word("received"), word("rejected")]),
    )
    .order_by(_interchange.c.id)
)  # fmt: skip
_LAST = Statement(
    select(_interchange.c.serial, _interchange.c.number)
    .where(*_OF_PARTNER, _interchange.c.serial.is_not(None), _interchange.c.state != word("quarantined"))
    .order_by(_interchange.c.id.desc())
    .limit(1)
)
_BETWEEN = Statement(
    select(func.count(_interchange.c.serial.distinct())).where(
        *_OF_PARTNER,
        _interchange.c.serial > bindparam("low", type_=BigInteger),
        _interchange.c.serial < bindparam("high", type_=BigInteger),
    )
)
_PARENTS = Statement(select(_run.c.reprocess_of, _run.c.caller_run).where(_run.c.id == bindparam("run")))
_DOCUMENTS = Statement(
    select(
        *(
            _interchange.c[name]
            for name in ("direction", "number", "at", "run", "node", "iteration", "blob", "size", "media")
        ),
    )
    .join_from(_set, _interchange, _interchange.c.id == _set.c.interchange)
    .outerjoin(_run, _run.c.id == _interchange.c.run)
    .where(
        *(_interchange.c[name] == bindparam(name) for name in ("client", "standard", "partner", "usage")),
        _set.c.client == bindparam("of_client"), _set.c.type == bindparam("type"), _set.c.key == bindparam("key"),
        _interchange.c.at >= bindparam("since", type_=BigInteger), _set.c.state != word("rejected"),
        _interchange.c.state.not_in([word("rejected"), word("duplicate"), word("quarantined"), word("void")]),
        _run.c.state.is_(None) | (_run.c.state != word(RunState.CANCELLED.value)),
    )
    .order_by(_interchange.c.id.desc())
    .limit(20)
)  # fmt: skip
#: Numbers begin again within so many of the last and first.
_NEAR = 1_000
_AT_ONCE = 500
_DEEPEST = 100


@dataclass(frozen=True)
class Holder:
    """An interchange that has the number."""

    id: str
    run: str
    node: str
    state: str
    digest: str
    at: int
    answer: str | None


def held(tx: Tx, of: Mapping[str, Any], before: str) -> list[Holder]:
    """Those that came before with this number, oldest first. One whose run was cancelled does not have it: nothing
    of it was posted, and the partner may be asked to send it again."""
    rows = tx.all(_HELD, {**of, "before": before or _END})
    return [Holder(*row[:-1]) for row in rows if row[-1] != RunState.CANCELLED]


def same_work(tx: Tx, run: str, other: str) -> bool:
    """Whether the run does the work of the other one again: it is that one, or reprocesses it, or is called by
    a run that reprocesses one which called it."""
    if run == other:
        return False
    theirs = set(_origins(tx, other))
    return any(again in theirs for again in _reprocessed(tx, run))


def _origins(tx: Tx, run: str) -> Iterator[str]:
    """The run and those that called it, up to the first."""
    for _ in range(_DEEPEST):
        if not run:
            return
        yield run
        row = tx.one(_PARENTS, {"run": run})
        run = str(row[1] or "") if row is not None else ""


def _reprocessed(tx: Tx, run: str) -> Iterator[str]:
    """What the run, or one that called it, reprocesses."""
    for origin in _origins(tx, run):
        earlier = origin
        for _ in range(_DEEPEST):
            row = tx.one(_PARENTS, {"run": earlier})
            if row is None or not row[0]:
                break
            earlier = str(row[0])
            yield earlier


def missing(tx: Tx, of: Mapping[str, Any], serial: int | None, before: str, last: int | None) -> tuple[int, str]:
    """How many numbers were left out since the interchange before this one, and the number of that one."""
    at = {name: of[name] for name in ("client", "standard", "partner", "usage")} | {"before": before or _END}
    row = tx.one(_LAST, at) if serial is not None and last is not None else None
    if row is None or serial is None or last is None:
        return 0, ""
    previous, number = int(row[0]), str(row[1])
    if serial > previous + 1:
        known = tx.one(_BETWEEN, {**at, "low": previous, "high": serial})
        return serial - previous - 1 - int(known[0] if known else 0), number
    if previous > last - _NEAR and serial < _NEAR:
        return last - previous + serial - 1, number
    return 0, number


def known_keys(
    tx: Tx, of: Mapping[str, Any], came: Exchanged, window: timedelta, before: str, run: str
) -> dict[int, Earlier]:
    """Sets by their place whose business key came before, within the window, under another control number."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(came.sets):
        if one.key and one.accepted:
            wanted.setdefault((one.type, one.key), []).append(place)
    since = tx.now - window // timedelta(microseconds=1)
    found: dict[int, Earlier] = {}
    for type, key, number, at, holder in _keyed(tx, of, came, sorted(wanted), since, before):
        places = wanted.get((type, key), [])
        if places and places[0] not in found and not same_work(tx, run, holder):
            found |= dict.fromkeys(places, Earlier(number, instant(at), holder))
    return found


def known_documents(
    tx: Tx, of: Mapping[str, Any], document: tuple[str, str], window: timedelta, position: Mapping[str, str]
) -> list[Known]:
    """Documents of this type and key, newest first, but what the execution at this position entered itself, or a
    run whose work it does again."""
    given = {"type": document[0], "key": document[1], "of_client": of["client"]}
    given["since"] = tx.now - window // timedelta(microseconds=1)
    found = []
    for direction, number, at, run, node, iteration, blob, size, media in tx.all(_DOCUMENTS, {**of, **given}):
        is_own = (run, node, iteration) == tuple(position[name] for name in ("run", "node", "iteration"))
        if not is_own and not same_work(tx, position["run"], run):
            content = BlobRef(blob=blob, size=size, type=media)
            found.append(Known(direction, number, instant(at), run, content))
    return found


def _keyed(
    tx: Tx, of: Mapping[str, Any], came: Exchanged, keys: list[tuple[str, str]], since: int, before: str
) -> Iterator[Any]:
    base = (
        select(_set.c.type, _set.c.key, _interchange.c.number, _interchange.c.at, _interchange.c.run)
        .join_from(_set, _interchange, _interchange.c.id == _set.c.interchange)
        .outerjoin(_run, _run.c.id == _interchange.c.run)
        .where(
            *(_interchange.c[name] == of[name] for name in ("client", "standard", "partner", "usage")),
            _set.c.client == of["client"], _interchange.c.direction == "in", _interchange.c.at >= since,
            _interchange.c.id < (before or _END), _interchange.c.number != came.number,
            _set.c.state == "received", _run.c.state.is_(None) | (_run.c.state != RunState.CANCELLED.value),
        )
        .order_by(_interchange.c.id)
    )  # fmt: skip
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        query = base.where(
            _set.c.type.in_(sorted({type for type, _ in some})), _set.c.key.in_([key for _, key in some])
        )
        yield from tx.all(Statement(query))
