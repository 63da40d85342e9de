"""What PostgreSQL's errors mean, by SQLSTATE (PostgreSQL documentation, appendix A)."""

from __future__ import annotations

from runtime.store.store import StoreError, Unavailable

#: Classes and codes of what passes or a person can put right, longest match first.
_ADVICE = {
    "08": "the connection broke; it is opened again by itself",
    "25006": "this server only reads: name the primary in ORDERLY_STORE, or add target_session_attrs=read-write",
    "25P03": "this process stood still in the middle of a unit; if that happens often, give the machine more air",
    "42501": "the user may not do that; make it the owner of the schema and everything in it",
    "53100": "the disk of the database is full; free some space there and it goes on by itself",
    "53200": "the database is short of memory; look at its log",
    "53300": "the database takes no more connections; raise its max_connections or start fewer processes",
    "55P03": "somebody holds a lock on these rows; look for a session that is idle in a transaction",
    "57014": "it took longer than it may; look for long transactions and locks in pg_stat_activity",
    "57": "the database is stopping or starting; it goes on by itself when the database is back",
    "58": "the disk of the database gave an error; look at its log and its file system",
    "XX": "the database reports damage; look at its log before anything else",
}
_NO_SUCH_TABLE = frozenset({"42P01", "42703", "3F000"})
#: The unit lost a race: serialization failure, deadlock, or a row that another unit inserted in between.
RACES = frozenset({"40001", "40P01", "23505"})


class Failed(StoreError):
    """The server refused a statement, and with it the unit."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate

    @property
    def race(self) -> bool:
        return self.sqlstate in RACES


class Unable(Failed, Unavailable):
    """As ``Failed``, for now: the same may go well later."""


class Lost(Unavailable):
    """The session is gone. What it did before COMMIT is undone; what a COMMIT that was sent did is not known."""


class CommitUnknown(Unavailable):
    """The database went away at COMMIT and did not come back in time to be asked: the unit was stored whole or
    not at all. Whoever holds a lease reads the run again; a sender sends the message again under its identity."""


def failed(sqlstate: str, message: str, where: str) -> Failed:
    """``where`` is host, port and database."""
    words = f"PostgreSQL at {where} refused a statement: {message} (SQLSTATE {sqlstate})"
    for code in (sqlstate, sqlstate[:2]):
        if code in _ADVICE:
            return Unable(f"nothing was stored: {_ADVICE[code]}. {words}", sqlstate)
    if sqlstate in _NO_SUCH_TABLE:
        words += "; the schema is not that of this version: run `orderly db upgrade`"
    return Failed(words, sqlstate)
