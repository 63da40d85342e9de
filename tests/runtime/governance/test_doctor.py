"""The doctor says what is wrong, why that matters and what to do next, and finds nothing where nothing is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import ssl
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runtime.governance import doctor
from runtime.governance.doctor import Finding, Status
from runtime.model.run import Checkpoint, EventRow, RunState
from runtime.model.sought import Said
from runtime.store import restore
from tests.workshop import LOOPBACK, Workshop, flow

Open = Callable[..., Workshop]
Usage = namedtuple("Usage", "total used free")
WAITS = flow("waits", {"id": "rest", "type": "wait", "parameters": {"for": "1h"}})
GIGABYTE = 10**9


@pytest.fixture
def shop(workshop: Open) -> Workshop:
    return workshop(WAITS)


def only(found: Iterator[Finding]) -> Finding:
    (finding,) = found
    if finding.status is not Status.OK:
        assert finding.what, finding
        assert finding.why, finding
        assert finding.next_action, finding
    return finding


def statuses(found: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(finding.check, finding.status.value) for finding in found]


# files


@pytest.mark.parametrize(
    ("free", "status"), [(500, Status.OK), (3, Status.OK), (1, Status.WARNING), (0.1, Status.ERROR)]
)
def test_a_disk_that_fills_is_told_before_it_is_full(tmp_path: Path, free: float, status: Status) -> None:
    found = only(doctor.disk(tmp_path, lambda _: Usage(1000 * GIGABYTE, 0, int(free * GIGABYTE))))

    assert found.status is status


def test_a_small_disk_with_room_is_fine(tmp_path: Path) -> None:
    assert only(doctor.disk(tmp_path, lambda _: Usage(GIGABYTE, 0, GIGABYTE // 2))).status is Status.OK


def test_a_key_file_that_others_may_read_is_an_error(shop: Workshop) -> None:
    key = shop.settings.data / "vault.key"
    assert only(doctor.key_file(shop.settings.data, {})).status is Status.OK

    key.chmod(0o644)

    found = only(doctor.key_file(shop.settings.data, {}))
    assert (found.status, str(key) in found.what) == (Status.ERROR, True)
    assert only(doctor.key_file(shop.settings.data / "empty", {})).status is Status.OK


# the store


def test_a_sound_store_is_told_with_who_has_it(shop: Workshop) -> None:
    sound, log = doctor.database(shop.services.store)

    assert (sound.status, log.status) == (Status.OK, Status.OK)
    assert f"is sound; process {os.getpid()} has it" in sound.what
    assert next(iter(doctor.database(shop.services.store, served=False))).what.endswith("no server has it")


def test_a_damaged_database_is_an_error(shop: Workshop) -> None:
    """One page of a table that is not read at a start."""
    path = shop.settings.data / "orderly.db"
    shop.services.stop()
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'attempt'")
        ((size,),) = connection.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    shop.again()

    found = next(doctor.database(shop.services.store))

    assert (found.status, "restore the last good backup" in found.next_action) == (Status.ERROR, True)


@pytest.mark.parametrize(("late", "status"), [(5, Status.OK), (120, Status.WARNING), (3600, Status.ERROR)])
def test_runs_that_no_worker_takes_are_told_by_how_late_they_are(shop: Workshop, late: int, status: Status) -> None:
    shop.take("waits", {})

    shop.pass_time(seconds=late)

    found = only(doctor.queue(shop.services.store, served=True))
    assert (found.check, found.status) == ("queue", status)
    assert found.what.startswith("1 runs wait")


def test_without_a_server_nobody_is_to_blame_for_runs_that_wait(shop: Workshop) -> None:
    shop.take("waits", {})
    shop.pass_time(days=3)

    found = only(doctor.queue(shop.services.store, served=False))

    assert (found.status, found.next_action) == (Status.WARNING, "orderly serve goes on with them")
    shop.drain()
    assert only(doctor.queue(shop.services.store, served=False)).status is Status.OK


def test_a_lease_that_ran_out_is_told(shop: Workshop) -> None:
    run = shop.take("waits", {})
    assert shop.services.store.acquire(run, "somebody", 30.0) is not None
    assert only(doctor.queue(shop.services.store, served=True)).status is Status.OK

    shop.pass_time(minutes=5)

    found = only(doctor.queue(shop.services.store, served=True))
    assert (found.check, found.status) == ("leases", Status.WARNING)


@pytest.mark.parametrize(("seconds", "status"), [(0, Status.OK), (10, Status.WARNING), (-90, Status.ERROR)])
def test_clocks_that_differ_are_told(shop: Workshop, seconds: int, status: Status) -> None:
    found = only(doctor.clock(shop.services.store, shop.now + timedelta(seconds=seconds)))

    assert found.status is status


def test_a_clock_that_was_set_back_is_told(shop: Workshop) -> None:
    shop.take("waits", {})

    shop.pass_time(hours=-3)

    found = only(doctor.clock(shop.services.store, shop.now))
    assert (found.status, "3 hours from now" in found.what) == (Status.WARNING, True)


# clients


def test_flows_that_are_out_are_told_with_their_mistakes(shop: Workshop) -> None:
    client = shop.services.clients["mercy"]
    assert only(doctor.flows(client)).what == "all 1 flows are served"
    shop._write("flows/broken/flow.json", flow("broken", {"id": "what", "type": "nothing"}))
    shop.again()

    found = only(doctor.flows(shop.services.clients["mercy"]))

    assert (found.status, found.client) == (Status.ERROR, "mercy")
    assert found.what.startswith("broken is out: ")


def test_a_secret_that_does_not_open_is_told(shop: Workshop) -> None:
    shop.services.vault.for_client("mercy").put("erp", "s3cret")
    (shop.settings.data / "vault.key").unlink()
    shop.again()

    found = only(doctor.secrets(shop.services.clients["mercy"], shop.services.vault.for_client("mercy")))

    assert (found.status, "s3cret" in found.what) == (Status.ERROR, False)


def test_a_paused_connection_is_told(workshop: Open) -> None:
    shop = workshop(WAITS, connections={"outbox": {"type": "file", "settings": {"root": "/"}}})
    client = shop.services.clients["mercy"]
    client.gate.pause("outbox", Said("omar", "maintenance"))

    found = list(doctor.connection(client, "outbox", {"ok": False, "message": "no", "next_action": ""}))

    assert statuses(iter(found)) == [("connection outbox", "error"), ("connection outbox", "warning")]
    assert (found[1].what, found[1].why) == ("paused: maintenance", "paused by omar: its runs are held")


def test_runs_that_a_restore_holds_are_told_until_they_are_released(shop: Workshop) -> None:
    client, store = shop.services.clients["mercy"], shop.services.store
    shop.run("waits", {})
    assert list(doctor.held(store, client)) == []

    restore.hold(store, backup="today", distance=0, by="omar")

    assert "1 runs are held" in only(doctor.held(store, client)).what
    client.store.let_go("restore")
    assert list(doctor.held(store, client)) == []


def test_backups_are_known_by_the_audit(shop: Workshop) -> None:
    client, store = shop.services.clients["mercy"], shop.services.store
    assert only(doctor.backups(store, client)).what == "orderly backup was never run"

    client.store.audit("omar", "backup.made", "backup")

    assert only(doctor.backups(store, client)).status is Status.OK
    shop.pass_time(days=8)
    found = only(doctor.backups(store, client))
    assert (found.status, found.what) == (Status.WARNING, "the last backup is 8 days old")


def test_a_run_that_failed_is_no_finding(shop: Workshop) -> None:
    """It is for its owner, and has a list of its own."""
    run = shop.take("waits", {})
    lease = shop.services.store.acquire(run, "one", 30.0)
    assert lease is not None
    shop.services.store.commit(lease, Checkpoint(state=RunState.DEAD, why="refused"), 30.0)

    assert only(doctor.queue(shop.services.store, served=True)).status is Status.OK


def test_runs_that_stand_still_for_a_person_are_told_by_their_state(shop: Workshop) -> None:
    client = shop.services.clients["mercy"]
    assert only(doctor.people(client)).status is Status.OK
    for state in (RunState.DEAD, RunState.DEAD, RunState.UNCERTAIN):
        lease = shop.services.store.acquire(shop.take("waits", {}), "one", 30.0)
        assert lease is not None
        shop.services.store.commit(lease, Checkpoint(state=state, why="refused"), 30.0)

    told = only(doctor.people(client))

    assert (told.status, told.what) == (Status.WARNING, "2 dead letters, 1 uncertain")
    assert told.next_action == "orderly runs list --state dead --state uncertain"


def test_clients_that_the_store_knows_and_no_pack_serves_are_told(shop: Workshop) -> None:
    store = shop.services.store
    assert list(doctor.strangers(store, ["mercy"])) == []
    store.register_client("saint_anne", "Saint Anne")

    told = only(doctor.strangers(store, ["mercy"]))

    assert (told.status, told.what) == (Status.WARNING, "no pack is served for saint_anne")


def test_documents_that_are_collected_and_do_not_go_are_told(workshop: Open) -> None:
    """The clock stands still in a workshop; then the flow that would send them is taken out of the pack."""
    outbox = flow(
        "outbox", {"id": "rest", "type": "wait", "parameters": {"for": "1h"}},
        trigger={"type": "event", "event": "order.ready", "batch": {"partner": "=partner"}},
    )  # fmt: skip
    acme = {"partner": "acme", "name": "Acme", "batching": {"within": "1h"}}
    shop = workshop(outbox, WAITS, partners={"acme": acme})
    client = shop.services.clients["mercy"]
    shop.store.publish(EventRow("order.ready", "1", {"partner": "acme"}))
    shop.services.batcher.collect(client, client.registry.release("outbox").flow)
    assert list(doctor.batches(shop.services.store, client)) == []

    shop.pass_time(hours=2)
    late = only(doctor.batches(shop.services.store, client))
    shutil.rmtree(shop.pack / "flows" / "outbox")
    shop.again()
    gone = only(doctor.batches(shop.services.store, shop.services.clients["mercy"]))

    assert (late.status, late.what) == (
        Status.ERROR, "1 documents are collected for acme since 2026-11-24 08:00 UTC",
    )  # fmt: skip
    assert "to go at 09:00 UTC" in late.why
    assert (gone.status, gone.why) == (
        Status.ERROR,
        "flow outbox, which would send them, is not there, or collects no more",
    )


# certificates


def certificate(folder: Path, days: float) -> Path:
    """A file with a key and a certificate that ends in so many days."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "erp.mercy.example")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / f"{days}.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def https(pem: Path) -> Iterator[str]:
    """A server that shows the certificate to whoever asks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("days", "status"), [(90, Status.OK), (20, Status.WARNING), (-1, Status.ERROR)])
def test_a_peers_certificate_is_told_a_month_before_it_ends(
    workshop: Open, tmp_path: Path, days: int, status: Status
) -> None:
    with https(certificate(tmp_path, days)) as url:
        settings = {"url": url, "allow": LOOPBACK}
        shop = workshop(WAITS, connections={"prices": {"type": "rest", "settings": settings}})

        found = only(doctor.certificates(shop.services.clients["mercy"], "prices", datetime.now(UTC)))

    assert (found.check, found.status) == ("certificate of prices", status)
    assert found.what.startswith("CN=erp.mercy.example (127.0.0.1:")


def test_certificates_in_files_that_a_connection_names_are_looked_at_too(workshop: Open, tmp_path: Path) -> None:
    authority = certificate(tmp_path, 5)
    settings = {"url": "http://127.0.0.1:9/", "allow": LOOPBACK, "ca": str(authority)}
    shop = workshop(WAITS, connections={"prices": {"type": "rest", "settings": settings}})

    found = only(doctor.certificates(shop.services.clients["mercy"], "prices", datetime.now(UTC)))

    assert (found.status, str(authority) in found.what) == (Status.WARNING, True)


def test_a_peer_that_does_not_answer_is_told(workshop: Open) -> None:
    settings = {"url": "https://127.0.0.1:9/", "allow": LOOPBACK}
    shop = workshop(WAITS, connections={"prices": {"type": "rest", "settings": settings}})

    found = only(doctor.certificates(shop.services.clients["mercy"], "prices", datetime.now(UTC)))

    assert (found.status, "127.0.0.1:9 could not be read" in found.what) == (Status.WARNING, True)
