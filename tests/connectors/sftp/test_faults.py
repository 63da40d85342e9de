"""Lost connections, full disks and hostile names: nothing half-delivered, nothing lost, nothing trusted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from connectors.sdk import NotSent, OutcomeUnknown, Rejected
from connectors.sdk.collecting import CollectParameters, Sightings, collect
from connectors.sdk.files import Entry
from connectors.sftp.connector import Collect, Deliver
from connectors.sftp.transport import Pool
from connectors.simulators.sftp_endpoint import SftpEndpoint
from tests.connectors.file.contract import Door, Place
from tests.connectors.sftp import sshd
from tests.connectors.sftp.conftest import SettingsOf
from tests.connectors.sftp.cutting import CuttingProxy

BIG = "0123456789abcdef" * 20_000


def test_a_connection_lost_while_writing_leaves_nothing_under_the_final_name(
    endpoint: SftpEndpoint, simulated: Place
) -> None:
    """``NotSent``; the repeat succeeds over a new connection and leaves one file."""
    endpoint.wrong.hang_up_after_bytes = 100_000

    with pytest.raises(NotSent, match=r"lost before /in/1\.edi had its final name"):
        simulated.deliver("/in/1.edi", BIG)
    halfway = simulated.names("in")
    simulated.deliver("/in/1.edi", BIG)

    assert halfway == [".orderly-k1.part"]
    assert simulated.names("in") == ["1.edi"]
    assert (simulated.folder / "in/1.edi").read_text() == BIG


@pytest.fixture
def proxy(openssh: sshd.Sshd) -> Iterator[CuttingProxy]:
    made = CuttingProxy(openssh.port)
    yield made
    made.close()


@pytest.fixture
def through(real: Place, proxy: CuttingProxy) -> Iterator[Place]:
    place = Place(real.settings.model_copy(update={"port": proxy.port}), real.folder, Collect(), Deliver())
    yield place
    place.close()


@pytest.mark.sshd
@pytest.mark.parametrize("bytes_", [10, 1_500, 4_500, 60_000, 200_000])
def test_sshd_cut_off_at_any_point_never_shows_half_a_file(
    through: Place, proxy: CuttingProxy, bytes_: int
) -> None:
    """Whatever was passed on when the line went dead, the repeat ends in one whole file."""
    proxy.cut_after = bytes_

    with pytest.raises(NotSent):
        through.deliver("/in/1.edi", BIG)
    visible = [name for name in through.names("in") if not name.startswith(".")]
    proxy.cut_after = None
    through.deliver("/in/1.edi", BIG)

    assert visible == []
    assert through.names("in") == ["1.edi"]
    assert (through.folder / "in/1.edi").read_text() == BIG


@pytest.mark.parametrize("when", ["hang_up_before_rename", "hang_up_after_rename"])
def test_a_connection_lost_while_renaming_is_an_unknown_outcome(
    endpoint: SftpEndpoint, simulated: Place, when: str
) -> None:
    """Nobody can know; the repeat ends in one file either way."""
    setattr(endpoint.wrong, when, True)

    with pytest.raises(OutcomeUnknown, match="renamed"):
        simulated.deliver("/in/1.edi", "whole")
    simulated.deliver("/in/1.edi", "whole")

    assert simulated.names("in") == ["1.edi"]
    assert (simulated.folder / "in/1.edi").read_bytes() == b"whole"


def test_a_full_disk_is_not_sent(endpoint: SftpEndpoint, simulated: Place) -> None:
    """Even of a file small enough for one request; the message says where to look."""
    endpoint.wrong.disk_full = True

    for content in ("small", BIG):
        with pytest.raises(NotSent, match=r"could not store /in/1\.edi") as full:
            simulated.deliver("/in/1.edi", content)
        assert "disk space" in full.value.next_action
    endpoint.wrong.disk_full = False
    simulated.deliver("/in/1.edi", "small")

    assert simulated.names("in") == ["1.edi"]


@pytest.mark.parametrize("existing", [None, b"old"])
def test_a_server_without_posix_rename_is_served_too(
    endpoint: SftpEndpoint, simulated: Place, existing: bytes | None
) -> None:
    """By a plain rename, after removing what is to be replaced."""
    endpoint.wrong.no_posix_rename = True
    if existing is not None:
        (simulated.folder / "in/1.edi").write_bytes(existing)

    simulated.deliver("/in/1.edi", "new")

    assert simulated.names("in") == ["1.edi"]
    assert (simulated.folder / "in/1.edi").read_bytes() == b"new"


@pytest.mark.parametrize(
    "name", ["../in/1.edi", "..", "/etc/passwd", "a/../../b.edi", "a\0b.edi", "a\nb.edi", "a\u202eide.edi", ""]
)
def test_a_hostile_name_in_a_listing_is_not_used_as_a_path(
    endpoint: SftpEndpoint, simulated: Place, name: str
) -> None:
    """It is neither read nor moved; honest files beside it are collected."""
    (simulated.folder / "in/1.edi").write_bytes(b"not ours to take")
    (simulated.folder / "out/2.edi").write_bytes(b"x")
    endpoint.wrong.lists_also = [name]
    door = Door()

    simulated.collect(door)

    assert door.names == ["2.edi"]
    assert simulated.names("in") == ["1.edi"]


def test_a_folder_that_may_not_be_written_is_rejected(endpoint: SftpEndpoint, simulated: Place) -> None:
    """A dead letter with the way out, no endless retries."""
    endpoint.wrong.read_only = True

    with pytest.raises(Rejected, match="denies access") as denied:
        simulated.deliver("/in/1.edi")

    assert "grant" in denied.value.next_action


def test_one_connection_serves_many_deliveries(endpoint: SftpEndpoint, settings: SettingsOf) -> None:
    """Signing in costs several round trips."""
    proxy = CuttingProxy(endpoint.port)
    place = Place(settings(port=proxy.port), endpoint.root, Collect(), Deliver())
    try:
        for number in range(3):
            place.deliver(f"/in/{number}.edi")
    finally:
        place.close()
        proxy.close()

    assert proxy.connections == 1


def test_an_idle_session_that_the_server_dropped_is_replaced_unnoticed(
    endpoint: SftpEndpoint, settings: SettingsOf
) -> None:
    """It is asked for a sign of life, so nobody's delivery fails for it."""
    pool = Pool(settings(), structlog.get_logger(), fresh=0)
    with pool.session() as first:
        first.entries("in")

    endpoint.hang_up()
    with pool.session() as second:
        listed = second.entries("in")
    pool.close()

    assert listed == []
    assert second is not first
    assert not second.alive


def test_threads_do_not_share_a_session(settings: SettingsOf) -> None:
    """Answers of one SFTP session belong to one request after the other."""
    pool = Pool(settings(), structlog.get_logger())

    with pool.session() as one, pool.session() as two:
        assert one is not two
    with pool.session() as three, pool.session() as four:
        assert {id(three), id(four)} == {id(one), id(two)}

    pool.close()


def test_work_that_takes_longer_than_the_total_timeout_is_cut(settings: SettingsOf) -> None:
    """However steadily the server drips: the whole delivery has one deadline."""
    pool = Pool(settings(total_timeout="200ms"), structlog.get_logger())
    ended = threading.Event()

    with pool.session() as session:
        while not ended.is_set():
            try:
                session.entries("in")
            except ConnectionError as error:
                told = str(error)
                ended.set()
    pool.close()

    assert "total_timeout is over" in told


def test_a_server_that_stops_answering_in_the_middle_of_a_file_ends_the_poll(
    endpoint: SftpEndpoint, settings: SettingsOf
) -> None:
    """After two reads it says nothing more: the file was not handed over, and stays."""
    (endpoint.root / "out/1.edi").write_text(BIG)
    endpoint.wrong.answers_no_more_after_reads = 2
    place = Place(settings(total_timeout="1s"), endpoint.root, Collect(), Deliver())
    door = Door()

    with pytest.raises(NotSent, match="connection lost"):
        place.collect(door)
    left = list(door.arrivals)
    endpoint.wrong.answers_no_more_after_reads = None
    place.collect(door)
    place.close()

    assert left == []
    assert [arrival.raw for arrival in door.arrivals] == [BIG.encode()]


def test_a_listing_that_does_not_end_is_cut(endpoint: SftpEndpoint, settings: SettingsOf) -> None:
    """It would fill the memory."""
    endpoint.wrong.lists_also = [f"{number}.edi" for number in range(30)]
    pool = Pool(settings(), structlog.get_logger())

    with pool.session() as session:
        session._client.most_names = 20
        with pytest.raises(ConnectionError, match="more than 20 names"):
            session.entries("out")
    pool.close()


def test_a_poll_over_more_names_than_it_looks_at_is_refused() -> None:
    """Whoever left them there has to clear them away; the memory is not ours to fill."""

    class Full:
        where = "a folder"

        def entries(self, folder: str) -> list[Entry]:
            return [Entry("1.edi", 1, 1)] * 200_001

        def make_folder(self, path: str) -> None:
            pass

    parameters = CollectParameters(folder="/out", archive="/done")
    with pytest.raises(Rejected, match="more than 200000 names") as refused:
        collect(Full(), parameters, Sightings(), datetime.now(UTC), Door(), structlog.get_logger())  # type: ignore[arg-type]

    assert "clear the folder" in refused.value.next_action
