"""The receiver's side: threads that read messages, hand them to the door and acknowledge what is stored."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from connectors.hl7.codec import Fault, Hl7Error, Message, is_acknowledgement, read
from connectors.mllp import answers
from connectors.mllp.answers import Verdict
from connectors.mllp.framing import START, Deframer, Event, Frame, Junk, frame
from connectors.mllp.settings import MllpSettings
from connectors.mllp.tls import Tls
from connectors.sdk import Accept, Arrival, Blobs, Log, Misconfigured, NotSent

CONTENT_TYPE = "application/hl7-v2"
_PARTING = 5.0
_PARTING_READS = 1_000
_MAX_JUNK = 65_536
_FULL_TOLD_EVERY = 60.0
_SEE_CERTIFICATES = "see whether both sides speak TLS, and whose certificates each trusts"
#: What an answer of the flow's own needs of MSH.
_SENDER = {
    "sending_application": 3,
    "sending_facility": 4,
    "receiving_application": 5,
    "receiving_facility": 6,
    "processing_id": 11,
    "version": 12,
}
_addresses: set[tuple[str, int]] = set()


def serves(host: str, port: int) -> bool:
    """Whether this very process listens there."""
    return (host, port) in _addresses


def bind(settings: MllpSettings) -> socket.socket:
    """A listening socket. Raises ``Misconfigured`` where the address cannot be had."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}",
            field="port",
            next_action="choose a free port and an address of this machine, or stop what listens there",
        ) from error


class Listener:
    """Listens from its creation until ``close``; a ``Listening`` of the sdk."""

    def __init__(
        self,
        settings: MllpSettings,
        accept: Accept,
        log: Log,
        now: Callable[[], datetime],
        blobs: Blobs | None = None,
    ) -> None:
        """``blobs`` are for flows that answer with messages of their own."""
        self.settings, self.accept, self.log, self.now, self.blobs = settings, accept, log, now, blobs
        self.tls = Tls(settings, "server", log) if settings.tls else None
        self._server = bind(settings)
        self._bound: tuple[str, int] = self._server.getsockname()[:2]
        _addresses.add(self._bound)
        self.wake, self._waker = socket.socketpair()
        self._changed = threading.Condition()
        self._closing = self._drained = False
        self._conversations: set[Conversation] = set()
        #: Those that never began a message, oldest first.
        self._silent: dict[Conversation, None] = {}
        self._full_told = -_FULL_TOLD_EVERY
        self._thread = threading.Thread(target=self._serve, name=f"mllp {self.address}", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._bound
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def close(self) -> None:
        """Takes no more, waits up to ``drain`` for messages in hand, then hangs up. May be called twice."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        self._waker.close()
        self._thread.join()
        self._server.close()
        _addresses.discard(self._bound)
        with self._changed:
            self._changed.wait_for(lambda: not self._conversations, self.settings.drain.total_seconds())
            left = list(self._conversations)
            self._drained = True
            if not left:
                self.wake.close()
        for conversation in left:
            self.log.warning("mllp.not_drained", peer=conversation.peer)
            conversation.hang_up()

    def finished(self, conversation: Conversation) -> None:
        """Called by a conversation at its end."""
        with self._changed:
            self._conversations.discard(conversation)
            self._silent.pop(conversation, None)
            if self._drained and not self._conversations:
                self.wake.close()
            self._changed.notify_all()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self.wake, selectors.EVENT_READ)
            while not self._closing:
                selector.select()
                if not self._closing:
                    self._take()

    def began(self, conversation: Conversation) -> bool:
        """Called by a conversation as its first message starts; false where it had to give way just before."""
        with self._changed:
            stays = conversation in self._silent
            self._silent.pop(conversation, None)
            return stays

    def _admits(self, newcomer: Conversation) -> bool:
        """Waits for room where all who are here have begun to talk; false where the listener closes meanwhile."""
        with self._changed:
            if not self._room():
                self._make_room(newcomer)
            self._changed.wait_for(lambda: self._closing or self._room())
            if self._closing:
                return False
            self._conversations.add(newcomer)
            self._silent[newcomer] = None
            return True

    def _room(self) -> bool:
        return len(self._conversations) < self.settings.max_connections

    def _make_room(self, newcomer: Conversation) -> None:
        """The oldest silent one has had its chance; that of the address with most of them, to spare neighbours."""
        silent = Counter(conversation.host for conversation in (*self._silent, newcomer))
        self._tell_full(newcomer)
        if self._silent:
            leaves = max(self._silent, key=lambda conversation: silent[conversation.host])
            del self._silent[leaves]
            leaves.hang_up()

    def _tell_full(self, newcomer: Conversation) -> None:
        if time.monotonic() - self._full_told < _FULL_TOLD_EVERY:
            return
        self._full_told = time.monotonic()
        host, most = Counter(conversation.host for conversation in self._conversations).most_common(1)[0]
        self.log.warning(
            "mllp.full", peer=newcomer.peer, connections=len(self._conversations), silent=len(self._silent),
            most_from=host, most=most,
            next_action="see why that address keeps so many connections, or raise max_connections",
        )  # fmt: skip

    def _take(self) -> None:
        try:
            connected, address = self._server.accept()
        except OSError as error:
            self.log.warning("mllp.accept_failed", error=str(error))
            return
        peer = f"{address[0]}:{address[1]}"
        if not self.settings.allows(address[0]):
            self.log.warning("mllp.refused", peer=peer, next_action="add it to allow, if it may connect")
            connected.close()
            return
        conversation = Conversation(self, connected, peer, address[0])
        if not self._admits(conversation):
            connected.close()
            return
        try:
            threading.Thread(target=conversation.run, name=f"mllp {peer}", daemon=True).start()
        except RuntimeError as error:
            self.log.error("mllp.no_thread", peer=peer, error=str(error))
            connected.close()
            self.finished(conversation)


class Conversation:
    """One connection: messages strictly in order, none read before the one before it is answered."""

    def __init__(self, listener: Listener, connected: socket.socket, peer: str, host: str) -> None:
        self.peer, self.host = peer, host
        self._listener, self._socket = listener, connected
        self._settings, self._log = listener.settings, listener.log
        self._deframer = Deframer(listener.settings.max_message_bytes)
        self._junk = 0
        self._told = False
        self._began = self._hung_up = False
        self._deadline = 0.0

    def run(self) -> None:
        """Ends when either side hangs up, time is up, or the listener closes."""
        first = min(self._settings.first_within, self._settings.idle)
        self._deadline = time.monotonic() + first.total_seconds()
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._secure(first.total_seconds())
            with self._socket, selectors.DefaultSelector() as selector:
                selector.register(self._socket, selectors.EVENT_READ)
                selector.register(self._listener.wake, selectors.EVENT_READ)
                while self._goes_on(selector):
                    pass
        except OSError as error:
            self._tell_lost(error)
        except Exception:  # noqa: BLE001 -- nobody is above this thread
            self._log.error("mllp.bug", peer=self.peer, exc_info=True)
        finally:
            self._socket.close()
            self._listener.finished(self)

    def _tell_lost(self, error: OSError) -> None:
        if self._hung_up and not self._began:
            return
        if isinstance(error, ssl.SSLError):
            self._log.warning("mllp.tls_refused", peer=self.peer, error=str(error), next_action=_SEE_CERTIFICATES)
        else:
            self._log.warning("mllp.connection_lost", peer=self.peer, error=str(error))

    def _secure(self, limit: float) -> None:
        """The handshake, in this connection's own thread; ``hang_up`` ends it, as the socket is ours before."""
        if self._listener.tls is None:
            return
        self._socket.settimeout(min(limit, self._settings.frame_timeout.total_seconds()))
        wrapped = self._listener.tls.context().wrap_socket(
            self._socket, server_side=True, do_handshake_on_connect=False
        )
        self._socket = wrapped
        if self._hung_up:
            raise ConnectionAbortedError("hung up on before the handshake")
        wrapped.do_handshake()

    def hang_up(self) -> None:
        """From another thread: ends the conversation where it stands."""
        self._hung_up = True
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError as error:
            self._log.info("mllp.already_gone", peer=self.peer, error=str(error))

    def _goes_on(self, selector: selectors.BaseSelector) -> bool:
        ready = {key.fileobj for key, _ in selector.select(max(0.0, self._deadline - time.monotonic()))}
        if self._listener.wake in ready:
            if self._socket in ready:
                self._part(patience=0.0)
            return False
        if not ready or time.monotonic() >= self._deadline:
            inside = self._deframer.inside
            self._log.warning("mllp.time_is_up", peer=self.peer, inside_message=inside, silent=not self._began)
            return False
        try:
            self._socket.settimeout(0.0)
            data = self._socket.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        if not data and self._deframer.inside:
            self._log.warning("mllp.half_message", peer=self.peer)
        return bool(data) and self._take(data)

    def _take(self, data: bytes) -> bool:
        if not self._began and START in data:
            self._began = self._listener.began(self)
            if not self._began:
                return False
        was_inside, whole = self._deframer.inside, False
        for event in self._deframer.feed(data):
            whole = whole or isinstance(event, Frame)
            if not self._handle(event):
                return False
        if whole or self._deframer.inside != was_inside:
            limit = self._settings.frame_timeout if self._deframer.inside else self._settings.idle
            self._deadline = time.monotonic() + limit.total_seconds()
        return True

    def _handle(self, event: Event) -> bool:
        if isinstance(event, Junk):
            self._junk += event.size
            self._log.warning("mllp.junk", peer=self.peer, bytes=event.size)
            return self._junk <= _MAX_JUNK
        if isinstance(event, Frame):
            self._send(self._reply(event.content))
            return True
        self._log.warning("mllp.too_large", peer=self.peer, limit=self._settings.max_message_bytes)
        self._send(self._too_large(event.beginning))
        self._part(_PARTING)
        return False

    def _reply(self, content: bytes) -> list[bytes]:
        self._told = False
        try:
            message = _single(content, self._settings.charset)
        except Hl7Error as error:
            self._log.warning("mllp.unreadable", peer=self.peer, bytes=len(content), error=error.message)
            return self._answer(None, answers.for_unreadable(error))
        except Exception as error:  # noqa: BLE001 -- a sender who hears nothing waits for ever
            self._log.error("mllp.bug", peer=self.peer, bytes=len(content), exc_info=True)
            return self._answer(None, answers.for_bug(error))
        if is_acknowledgement(message) and not self._awaits(message):
            self._log.warning("mllp.stray_acknowledgement", peer=self.peer, control_id=message.control_id)
            return []
        if not message.control_id:
            return self._answer(message, Verdict("AR", Fault("101", "MSH-10", "not stored, MSH-10 is missing")))
        return self._answer(message, self._handed_over(content, message))

    def _awaits(self, acknowledgement: Message) -> bool:
        return self._settings.acknowledgements and answers.answers_an_application(acknowledgement)

    def _handed_over(self, content: bytes, message: Message) -> Verdict:
        """What to answer once the door said what became of it; after a mistake of ours it is to be sent again."""
        try:
            receipt = self._listener.accept(self._arrival(content, message))
            verdict = answers.for_receipt(receipt, self._settings.acknowledge)
            blobs = self._listener.blobs
            if receipt.reply is None or blobs is None:
                return verdict
            return answers.of_the_flow(verdict, receipt.reply, message, blobs)
        except NotSent as error:
            self._log.error("mllp.not_stored", peer=self.peer, control_id=message.control_id, error=error.message)
            return answers.for_not_sent(error)
        except Exception as error:  # noqa: BLE001 -- a sender who hears nothing waits for ever
            self._log.error("mllp.bug", peer=self.peer, control_id=message.control_id, exc_info=True)
            return answers.for_bug(error)

    def _arrival(self, content: bytes, message: Message) -> Arrival:
        header = message.header
        identity = (header.field(3) or "", header.field(4) or "", message.control_id)
        facts = {"peer": self.peer, "message_type": message.type, "control_id": message.control_id}
        places = {name: header.get(number) or "" for name, number in _SENDER.items()}
        facts |= {name: value for name, value in places.items() if value}
        waits = self._settings.acknowledge == "delivered"
        within = self._settings.deliver_within.total_seconds() if waits else 0.0
        return Arrival(
            content,
            CONTENT_TYPE,
            facts,
            "/".join(identity),
            reply_within=within,
            on_stored=lambda: self._tell_stored(message),
        )

    def _tell_stored(self, message: Message) -> None:
        """Where both acknowledgements are asked for, CA does not wait for what becomes of the message."""
        replies = answers.at_once(message, self._listener.now())
        self._told = bool(replies)
        try:
            self._send(replies)
        except OSError as error:
            self._log.warning("mllp.not_told", peer=self.peer, control_id=message.control_id, error=str(error))

    def _too_large(self, beginning: bytes) -> list[bytes]:
        text = f"not stored, larger than {self._settings.max_message_bytes} bytes"
        try:
            message: Message | None = _single(beginning, self._settings.charset)
        except Hl7Error:
            message = None
        return self._answer(message, Verdict("AR", Fault("102", "", text)))

    def _answer(self, message: Message | None, verdict: Verdict) -> list[bytes]:
        return answers.answer(message, verdict, self._listener.now(), self._told)

    def _send(self, replies: list[bytes]) -> None:
        if replies:
            self._socket.settimeout(self._settings.frame_timeout.total_seconds())
            self._socket.sendall(b"".join(map(frame, replies)))

    def _part(self, patience: float) -> None:
        """Closes our side and passes over what the peer still sends, for so many seconds at most: closing with
        unread bytes would destroy our last answer on its way."""
        self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + patience
        with suppress(TimeoutError, BlockingIOError):
            for _ in range(_PARTING_READS):
                self._socket.settimeout(max(0.0, deadline - time.monotonic()))
                if not self._socket.recv(65536):
                    return


def _single(content: bytes, charset: str | None) -> Message:
    """One message with its MSH first. Raises ``Hl7Error`` for anything else."""
    message = read(content, charset)
    if not message.text.startswith("MSH"):
        raise Hl7Error(
            "a batch came where single messages are taken",
            code="200",
            next_action="send the messages of the batch one by one",
        )
    return message
