"""``orderly hl7 send`` and ``listen`` as an integrator types them; they come from this connector."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from connectors.hl7.command import command
from connectors.sdk import NotSent, Receipt
from tests.connectors.hl7.corpus import ROOT, sample
from tests.connectors.mllp.certificates import Authority
from tests.connectors.mllp.peers import Door, listening, message

SAMPLE = str(ROOT / "sample_payloads/hl7/oms_o05_one_line.hl7")


def orderly_hl7(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command, words, input=stdin)


def test_help_names_them_beside_the_verbs_of_the_codec() -> None:
    """One name for all that has to do with HL7."""
    said = orderly_hl7("--help").stdout

    assert all(verb in said for verb in ("read", "write", "check", "show", "send", "listen"))


def test_send_prints_what_is_answered() -> None:
    """Exit 0, code and control id."""
    door = Door()

    with listening(door) as (host, port):
        sent = orderly_hl7("send", f"{host}:{port}", SAMPLE)

    assert (sent.exit_code, sent.stdout) == (0, "AA WARD0001\n")
    assert door.arrivals[0].raw == sample("oms_o05_one_line.hl7")


def test_send_takes_a_batch_apart() -> None:
    """MLLP carries messages: envelopes and the frames of a dump stay here."""
    door = Door()
    batch = b"BHS|^~\\&|W\r" + message("C1") + b"\x0b" + message("C2") + b"\x1c\rBTS|2\r"

    with listening(door) as (host, port):
        sent = orderly_hl7("send", f"{host}:{port}", "-", stdin=batch)

    assert (sent.exit_code, sent.stdout) == (0, "AA C1\nAA C2\n")
    assert [arrival.raw for arrival in door.arrivals] == [message("C1"), message("C2")]


def test_a_negative_answer_ends_it_with_exit_1() -> None:
    """Nothing is sent after it."""

    def decide(arrival: object) -> None:
        raise NotSent("full")

    with listening(Door(decide)) as (host, port):
        sent = orderly_hl7("send", f"{host}:{port}", "-", stdin=message("C1") + message("C2"))

    assert sent.exit_code == 1
    assert "\nAR C1: not stored, send again: full\n" in f"\n{sent.stdout}"
    assert "C2" not in sent.stdout


def test_a_negative_answer_is_shown_with_what_the_technician_needs() -> None:
    """ERR-7 beside the sentence for people."""
    problem = {"title": "The message cannot be mapped", "detail": "ORC-1 is CA", "field": "ORC-1"}
    door = Door(lambda arrival: Receipt("excepted", "run1", problem=problem))

    with listening(door, acknowledge="mapped") as (host, port):
        sent = orderly_hl7("send", f"{host}:{port}", "-", stdin=message("C1"))

    assert (sent.exit_code, sent.stdout) == (1, "AE C1: The message cannot be mapped: ORC-1 is CA\n")


def test_send_waits_for_no_answer_where_none_is_asked_for() -> None:
    """MSH-15 and MSH-16 say never, or only on error; nor is an acknowledgement acknowledged."""
    door = Door()
    ack = b"MSH|^~\\&|A|B|C|D|2026||ACK|K1|P|2.5.1\rMSA|AA|C0\r"
    stdin = message("C1", accept="NE") + ack + message("C2", accept="ER", application="NE") + message("C3")

    with listening(door) as (host, port):
        sent = orderly_hl7("send", f"{host}:{port}", "-", "--timeout", "20", stdin=stdin)

    assert sent.exit_code == 0
    assert [line for line in sent.stdout.splitlines() if line[:2] in ("--", "AA")] == [
        "-- C1: sent; it asks for no answer",
        "-- K1: sent; it asks for no answer",
        "-- C2: sent; it asks for no answer",
        "AA C3",
    ]
    assert [arrival.headers["control_id"] for arrival in door.arrivals] == ["C1", "C2", "C3"]


def test_nobody_there_and_nothing_to_send_are_told() -> None:
    """A sentence on standard error, exit 1; a bad address is wrong usage."""
    with listening(Door()) as (host, port):
        empty = orderly_hl7("send", f"{host}:{port}", "-", stdin=b"")
    gone = orderly_hl7("send", f"{host}:{port}", SAMPLE)

    assert (empty.exit_code, gone.exit_code) == (1, 1)
    assert "no message" in empty.stderr
    assert "no connection" in gone.stderr
    assert orderly_hl7("send", "nowhere", SAMPLE).exit_code == 2


def test_send_speaks_tls(tmp_path: Path) -> None:
    """Trusting the authority that is named, and no other."""
    hospital = Authority(tmp_path, "hospital")

    with listening(Door(), tls=True, certificate=hospital.certificate("orderly")) as (host, port):
        trusted = orderly_hl7("send", f"{host}:{port}", SAMPLE, "--tls", "--authorities", hospital.path)
        untrusted = orderly_hl7("send", f"{host}:{port}", SAMPLE, "--tls")

    assert trusted.stdout == "AA WARD0001\n"
    assert untrusted.exit_code == 1
    assert "no TLS" in untrusted.stderr


@contextmanager
def listening_command(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The real command in a process of its own; gives the address it says."""
    code = "from connectors.hl7.command import command; command()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "listen", "0", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT,
    )  # fmt: skip
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        assert process.stderr is not None
        found = re.search(r"listening on (\S+)", process.stderr.readline())
        assert found
        yield found[1], process
    finally:
        process.kill()
        process.communicate()
        watch.cancel()


def test_listen_prints_each_message_and_keeps_it_where_asked(tmp_path: Path) -> None:
    """It answers AA, and ends after the number that was asked for."""
    with listening_command("--print", "--into", str(tmp_path / "in"), "--count", "2") as (address, process):
        sent = orderly_hl7("send", address, "-", stdin=message("C1") + message("C2"))
        printed, _ = process.communicate(timeout=60)

    assert sent.stdout == "AA C1\nAA C2\n"
    assert process.returncode == 0
    assert "OMS^O05 C1\nMSH|^~\\&|WARD|" in printed
    assert "\nRQD|1|ITM-1001|||4|BX\n" in printed
    kept = sorted((tmp_path / "in").iterdir())
    assert sorted(path.read_bytes() for path in kept) == [message("C1"), message("C2")]
    modes = {path.stat().st_mode & 0o777 for path in kept}, (tmp_path / "in").stat().st_mode & 0o777
    assert modes == ({0o600}, 0o700), "they may be about patients"


def test_listen_on_a_taken_port_says_so() -> None:
    """Exit 1."""
    with listening(Door()) as (_, port):
        refused = orderly_hl7("listen", str(port))

    assert refused.exit_code == 1
    assert "cannot listen on" in refused.stderr
