"""What is wrong, or soon will be: each check says what, why, and what to do next.

A check is a function that yields findings. Those over files need nothing that is open, so that they work where
the store does not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.sdk import ConnectorError
from runtime.engine.client import Client
from runtime.governance.certificates import Unreadable, of_settings
from runtime.governance.collected import collected
from runtime.governance.finding import Finding, Findings, Status, error, ok, warning
from runtime.model.doors import DOORS
from runtime.model.run import RunState
from runtime.store import health
from runtime.store.aside import left_behind
from runtime.store.restore import HOLDER
from runtime.store.shared import SharedStore
from runtime.store.sqlite import SqliteStore
from runtime.store.store import Unavailable
from runtime.store.vault import ClientVault, Keys, VaultError, key_path

__all__ = ["Finding", "Status"]

_MEGABYTE = 1_000_000
_LATE, _VERY_LATE = timedelta(minutes=1), timedelta(minutes=10)
_SKEW, _GREAT_SKEW = timedelta(seconds=2), timedelta(seconds=30)
_SOON = timedelta(days=30)
_OLD_BACKUP = timedelta(days=7)
_STANDS_STILL = {
    RunState.DEAD: "dead letters", RunState.EXCEPTION: "stopped by an exception", RunState.UNCERTAIN: "uncertain",
}  # fmt: skip


# files


def disk(folder: Path, usage: Callable[[Path], Any] = shutil.disk_usage) -> Findings:
    """The file systems of the data folder and of its blobs. ``usage`` gives ``total`` and ``free`` in bytes."""
    places = {place.stat().st_dev: place for place in (folder / "blobs", folder) if place.is_dir()}
    for place in sorted(places.values()):
        found = usage(place)
        what = f"{place}: {found.free // _MEGABYTE:,} MB free of {found.total // _MEGABYTE:,} MB"
        why = "when the disk is full no message is taken and no run goes on"
        advice = "free some space, give it a larger disk, or set `retention` in pack.json"
        if found.free < 200 * _MEGABYTE:
            yield error("disk", what, why, advice)
        elif found.free < 2000 * _MEGABYTE and found.free < found.total * 0.1:
            yield warning("disk", what, why, advice)
        else:
            yield ok("disk", what)


def unfinished(places: Iterable[Path]) -> Findings:
    """Backups and restores in these folders that were killed while they were made."""
    for place in sorted({place.resolve() for place in places if place.is_dir()}):
        for left in left_behind(place):
            yield warning(
                "unfinished", f"{left} is what a killed backup or restore left", "it takes room and is of no use",
                "remove it, or let the next backup or restore beside it do so",
            )  # fmt: skip


def key_file(data: Path, environment: Mapping[str, str] = os.environ) -> Findings:
    """Whether it can be used, and by nobody else."""
    path = key_path(data, environment)
    if not path.exists():
        yield ok("key file", f"{path} is not there yet; it is made when it is needed")
        return
    try:
        Keys(path)
    except VaultError as failure:
        yield error(
            "key file", str(failure), "secrets in the vault cannot be opened",
            f"chmod 600 {path}, or put its copy back",
        )  # fmt: skip
    else:
        yield ok("key file", f"{path} can be read by its owner only")


# the store


def database(store: SharedStore, served: bool = True) -> Findings:
    """Of an SQLite file: sound, can be written, its log of commits not too long. ``served``: by this process."""
    if not isinstance(store, SqliteStore):
        return
    if damage := store.damage():
        yield error(
            "store", f"{store.path} is damaged: {'; '.join(damage)}", "what is stored may be lost or wrong",
            "stop the server, keep a copy of the file, and restore the last good backup",
        )  # fmt: skip
    elif refusal := _unwritable(store):
        yield error(
            "store", f"{store.path} cannot be written: {refusal}", "no message is taken and no run goes on",
            "free some space on its disk, or look at the system log; then it goes on by itself",
        )  # fmt: skip
    else:
        has = f"process {os.getpid()} has it" if served else "no server has it"
        yield ok("store", f"{store.path} is sound; {has}")
    log = store.path.with_name(store.path.name + "-wal")
    size, whole = (log.stat().st_size if log.exists() else 0), store.path.stat().st_size
    what = f"the log of commits is {size // _MEGABYTE:,} MB long, the database {whole // _MEGABYTE:,} MB"
    if size > max(64 * _MEGABYTE, whole // 2):
        yield warning(
            "store log", what, "a reader that never ends keeps it from being worked in; it fills the disk",
            "end backups that hang, then restart the server",
        )  # fmt: skip
    else:
        yield ok("store log", what)


def _unwritable(store: SqliteStore) -> str:
    try:
        health.probe(store)
    except Unavailable as refusal:
        return str(refusal)
    return ""


def queue(store: SharedStore, served: bool) -> Findings:
    """Runs that wait for a worker, and those whose worker is gone."""
    line, now = health.line(store), store.now()
    if not line.due and not line.expired:
        yield ok("queue", "no run waits for a worker")
    if line.due:
        yield _lateness("queue", f"{line.due} runs wait for a worker", line.since, now, served)
    if line.expired:
        yield _lateness(
            "leases", f"{line.expired} runs have a worker that is gone", line.expired_since, now, served
        )


def _lateness(check: str, what: str, since: datetime | None, now: datetime, served: bool) -> Finding:
    late = now - (since or now)
    told = f"{what}, the first since {_span(late)}"
    if not served:
        return warning(check, told, "no server runs on these data", "orderly serve goes on with them")
    if late < _LATE:
        return ok(check, told)
    why = "workers are too few, stuck, or ended"
    advice = "look at what they say (orderly runs list --state leased), then raise --threads or restart the server"
    return (error if late > _VERY_LATE else warning)(check, told, why, advice)


def clock(store: SharedStore, system: datetime) -> Findings:
    """The store's clock against the machine's (``system``, now), and both against what was written last."""
    skew, newest = abs(store.now() - system), health.newest(store)
    advice = "let the machines keep time by NTP (chronyc tracking shows whether they do)"
    if skew > _SKEW:
        what = f"the clocks of the store and of this machine differ by {_span(skew)}"
        why = "leases, retries and deadlines come too early or too late"
        yield (error if skew > _GREAT_SKEW else warning)("clock", what, why, advice)
    elif newest is not None and newest - store.now() > _SKEW:
        what = f"the last row was written {_span(newest - store.now())} from now"
        yield warning("clock", what, "the clock was set back: what is due by the old time comes late", advice)
    else:
        yield ok("clock", "the clocks of the store and of this machine agree")


# clients


def secrets(client: Client, vault: ClientVault, which: str = "") -> Findings:
    """Every one of them opens. ``which`` is what commands need to know the client by, here and below."""
    names = vault.names()
    try:
        for name in names:
            vault.get(name)
    except VaultError as failure:
        yield error(
            "secrets", str(failure), "connections that need it cannot be used",
            f"put the key file back, or store the secret again: orderly connection set-secret NAME{which}",
            client.id,
        )  # fmt: skip
        return
    yield ok("secrets", f"{len(names)} secrets open", client.id)


def connection(client: Client, name: str, answer: Mapping[str, Any]) -> Findings:
    """``answer`` is that of the connection's own check: ``ok``, ``message``, ``next_action``."""
    check = f"connection {name}"
    if not answer["ok"]:
        why = "flows that need this peer wait for it or fail"
        yield error(check, answer["message"], why, answer["next_action"] or "mend its settings", client.id)
    else:
        yield ok(check, answer["message"], client.id)
    state = client.gate.state(name)
    if state.paused:
        why = f"paused by {state.by}: its runs are held" if state.by else "its runs are held"
        yield warning(
            check,
            f"paused: {state.why}" if state.why else "paused",
            why,
            "resume it when its cause is gone",
            client.id,
        )


def certificates(client: Client, name: str, now: datetime) -> Findings:
    """Of the peer and of the files that the settings name: none has expired, or will within 30 days."""
    if client.peers.file(name).type in DOORS:
        return
    try:
        settings = client.peers.connection(name).settings
    except ConnectorError:
        return
    check = f"certificate of {name}"
    for found in of_settings(settings):
        if isinstance(found, Unreadable):
            why, advice = "nobody knows when it expires", "look whether the peer answers and the file is there"
            yield warning(check, f"{found.where} could not be read: {found.why}", why, advice, client.id)
            continue
        left = found.expires_at - now
        what = f"{found.subject} ({found.where}) expires on {found.expires_at:%Y-%m-%d}"
        if left > _SOON:
            yield ok(check, what, client.id)
            continue
        why = "nothing is sent to a peer whose certificate is not valid"
        advice = (
            "ask the peer for its new certificate" if ":" in found.where else f"put a new one into {found.where}"
        )
        yield (warning if left > timedelta() else error)(check, what, why, advice, client.id)


def flows(client: Client) -> Findings:
    """Those that are out because of a mistake in them."""
    out = client.registry.out
    for name, findings in out.items():
        what = f"{name} is out: {'; '.join(str(finding) for finding in findings)}"
        yield error(
            "flow", what, "messages for it are refused", "mend it; orderly lint shows all mistakes", client.id
        )
    if not out:
        yield ok("flow", f"all {len(client.registry.releases)} flows are served", client.id)


def strangers(store: SharedStore, served: Sequence[str]) -> Findings:
    """Clients that the store knows and no pack serves."""
    if others := sorted(set(store.client_names()) - set(served)):
        yield warning(
            "clients", f"no pack is served for {', '.join(others)}",
            "their messages are refused and their runs stand still",
            "serve their packs too, or export and delete them once they are gone for good",
        )  # fmt: skip


def people(client: Client, which: str = "") -> Findings:
    """What stands still until a person does something."""
    counts = client.store.counts()
    waiting = {state: counts.get(state, 0) for state in (RunState.DEAD, RunState.EXCEPTION, RunState.UNCERTAIN)}
    if not any(waiting.values()):
        yield ok("runs", "none stands still for a person", client.id)
        return
    told = ", ".join(f"{count} {_STANDS_STILL[state]}" for state, count in waiting.items() if count)
    states = " ".join(f"--state {state}" for state, count in waiting.items() if count)
    why = "they go on when somebody has looked at them; an uncertain one that can be looked up goes on by itself"
    yield warning(
        "runs", told, why, f"orderly runs list {states}{which}", client.id,
    )  # fmt: skip


def batches(store: SharedStore, client: Client, which: str = "") -> Findings:
    """What is collected for partners and does not go when it should."""
    for row in collected(client):
        since = f"{row['oldest_at']:%Y-%m-%d %H:%M} UTC"
        what = f"{row['documents']} documents are collected for {row['partner']} since {since}"
        if row["restored"]:
            left = f"{row['restored']} documents for {row['partner']} are held since a restore"
            advice = f"look at what the partner has, then orderly batches send {row['partner']}{which}"
            yield warning("batches", left, "nobody but a person lets them go", advice, client.id)
        if not row["served"]:
            why = f"flow {row['flow']}, which would send them, is not there, or collects no more"
            yield error("batches", what, why, "orderly lint; enable the flow in pack.json", client.id)
        elif (due := row["due_at"]) is not None and store.now() - due > _LATE:
            why = f"they were to go at {due:%H:%M} UTC: no clock runs, or they cannot be started"
            advice = f"orderly exceptions list{which}; orderly batches send {row['partner']}{which}"
            yield error("batches", what, why, advice, client.id)
        elif due is None and row["documents"]:
            why = f"{row['rules']}: there is no time at which they go"
            yield error("batches", what, why, f"mend partners/{row['partner']}.json", client.id)


def held(store: SharedStore, client: Client, which: str = "") -> Findings:
    """Runs that wait for somebody after a restore."""
    if count := health.held_by(store.backend(client.id), client.id, HOLDER):
        yield warning(
            "restore", f"{count} runs are held since a restore", "nobody but a person lets them go on",
            f"look at what the peers have, then orderly runs release --all{which}", client.id,
        )  # fmt: skip


def backups(store: SharedStore, client: Client) -> Findings:
    """When the last one was made by `orderly backup`; others are not known."""
    at = health.last(store.backend(client.id), client.id, "backup.made", "backup")
    if at is None and not isinstance(store, SqliteStore):
        told = "orderly backup was never run; how else the database is backed up is not known here"
        yield ok("backup", told, client.id)
        return
    why, advice = "what is stored since then is lost with the disk", "orderly backup FOLDER, and let cron do it"
    if at is None:
        yield warning("backup", "orderly backup was never run", why, advice, client.id)
    elif (age := store.now() - at) > _OLD_BACKUP:
        yield warning("backup", f"the last backup is {_span(age)} old", why, advice, client.id)
    else:
        yield ok("backup", f"the last backup is {_span(age)} old", client.id)


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
