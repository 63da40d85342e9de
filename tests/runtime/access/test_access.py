"""Who may come in, for how long, and what nobody can find out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from runtime.access import Access, AccessError, KeyRefused, LockedOut, Users, csrf_holds, csrf_token
from runtime.store import tables
from runtime.store.sqlite import SqliteStore
from runtime.store.statements import Statement
from runtime.store.store import NotFound
from tests.runtime.store.clock import Clock

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "orderly.db", clock=clock)
    yield store
    store.close()


@pytest.fixture
def access(store: SqliteStore) -> Access:
    access = Access(store, "mercy")
    access.users.create("Anna.Berg", PASSWORD, mail="Anna.Berg@mercy.example", roles=["requester"])
    return access


def test_a_user_is_known_by_login_or_mail_in_any_case(access: Access) -> None:
    for name in ("anna.berg", "ANNA.BERG", " Anna.Berg ", "anna.berg@MERCY.example"):
        user = access.users.verify(name, PASSWORD)
        assert user is not None
        assert (user.login, user.mail, user.roles) == ("Anna.Berg", "Anna.Berg@mercy.example", ("requester",))


def test_wrong_password_unknown_name_and_disabled_user_are_one_answer(access: Access) -> None:
    access.users.create("gone", PASSWORD)
    access.users.disable("GONE")

    for name, password in (
        ("anna.berg", "wrong"),
        ("anna.berg", ""),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("", ""),
    ):
        assert access.users.verify(name, password) is None


class Counting(PasswordHasher):
    """Counts its verifications."""

    count = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.count += 1
        return super().verify(hash, password)


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(store: SqliteStore, access: Access) -> None:
    """Counted and not timed: one argon2 verification for either."""
    hasher = Counting()
    users = Users(store, "mercy", hasher)

    users.verify("anna.berg", "wrong")
    users.verify("nobody", "wrong")

    assert hasher.count == 2


def test_users_of_one_client_are_not_those_of_another(store: SqliteStore, access: Access) -> None:
    other = Access(store, "other")

    assert other.users.verify("anna.berg", PASSWORD) is None
    assert other.users.list() == []
    with pytest.raises(NotFound):
        other.users.set_password("anna.berg", "another password")
    other.users.create("anna.berg", "their own password")
    assert access.users.verify("anna.berg", PASSWORD) is not None


@pytest.mark.parametrize(
    ("login", "mail"),
    [
        ("ANNA.berg", ""),
        ("other", "anna.berg@mercy.example"),
        ("anna.berg@mercy.example", ""),
        ("other", "Anna.Berg"),
    ],
)
def test_a_name_that_stands_for_somebody_is_not_given_again(access: Access, login: str, mail: str) -> None:
    """Neither as a login name nor as a mail address: an approval compares the requester with both."""
    with pytest.raises(AccessError, match="already"):
        access.users.create(login, PASSWORD, mail=mail)

    assert len(access.users.list()) == 1


@pytest.mark.parametrize("password", ["short", "x" * 2000])
def test_a_password_has_a_sensible_length(access: Access, password: str) -> None:
    with pytest.raises(AccessError, match="8 to 1024"):
        access.users.create("new", password)
    with pytest.raises(AccessError, match="login name"):
        access.users.create("  ", PASSWORD)


def test_a_new_password_ends_the_sessions_of_the_old(access: Access) -> None:
    token = access.sessions.open(access.users.find("anna.berg"))

    access.users.set_password("anna.berg", "a new password")

    assert access.sessions.find(token) is None
    assert access.users.verify("anna.berg", PASSWORD) is None
    assert access.users.verify("anna.berg", "a new password") is not None


def test_roles_count_from_the_next_request(access: Access) -> None:
    token = access.sessions.open(access.users.find("anna.berg"))

    access.users.set_roles("anna.berg", ["requester", "finance"])

    session = access.sessions.find(token)
    assert session is not None
    assert session.user.roles == ("requester", "finance")


def test_ten_failures_lock_a_name_for_a_quarter_of_an_hour(access: Access, clock: Clock) -> None:
    for _ in range(10):
        assert access.users.verify("anna.berg", "wrong") is None

    with pytest.raises(LockedOut, match="15 minutes"):
        access.users.verify("ANNA.BERG", PASSWORD)

    clock.forward(15 * 60 + 1)
    assert access.users.verify("anna.berg", PASSWORD) is not None


def test_a_success_forgets_earlier_failures(access: Access) -> None:
    for _ in range(3):
        for _ in range(9):
            access.users.verify("anna.berg", "wrong")
        assert access.users.verify("anna.berg", PASSWORD) is not None


def test_a_locked_name_locks_nobody_else(access: Access) -> None:
    for _ in range(10):
        access.users.verify("nobody", "wrong")

    assert access.users.verify("anna.berg", PASSWORD) is not None


def test_a_session_lasts_eight_hours_from_its_last_use(access: Access, clock: Clock) -> None:
    token = access.sessions.open(access.users.find("anna.berg"))
    for _ in range(3):
        clock.forward(7 * 3600)
        assert access.sessions.find(token) is not None

    clock.forward(8 * 3600)
    assert access.sessions.find(token) is None


def test_a_session_ends_when_it_is_revoked_or_its_user_disabled(access: Access) -> None:
    user = access.users.find("anna.berg")
    tokens = [access.sessions.open(user) for _ in range(3)]

    access.sessions.revoke(tokens[0])
    assert [access.sessions.find(token) is not None for token in tokens] == [False, True, True]
    access.users.disable("anna.berg")
    assert [access.sessions.find(token) for token in tokens] == [None, None, None]


def test_a_session_of_one_client_is_none_of_another(store: SqliteStore, access: Access) -> None:
    token = access.sessions.open(access.users.find("anna.berg"))
    other = Access(store, "other")

    other.sessions.revoke(token)

    assert other.sessions.find(token) is None
    assert access.sessions.find(token) is not None


def test_whatever_a_cookie_carries_is_no_session(access: Access) -> None:
    for token in ("", "x", "\ud800", "'; --", "é" * 5000):
        assert access.sessions.find(token) is None


def test_neither_tokens_nor_keys_nor_passwords_are_stored(store: SqliteStore, access: Access) -> None:
    token = access.sessions.open(access.users.find("anna.berg"))
    key, _ = access.api_keys.create("portal", ["hooks:*"])

    rows = [
        str(store.read(lambda tx, table=table: tx.all(Statement(select(table)))))  # type: ignore[misc]
        for table in (tables.session, tables.api_key, tables.user, tables.audit)
    ]

    assert not any(secret in row for row in rows for secret in (token, key, PASSWORD))


def test_a_form_token_holds_for_its_session_only(access: Access) -> None:
    user = access.users.find("anna.berg")
    mine, other = access.sessions.open(user), access.sessions.open(user)

    assert csrf_holds(mine, csrf_token(mine))
    assert not csrf_holds(other, csrf_token(mine))
    assert not csrf_holds(mine, "")
    assert mine not in csrf_token(mine)


def test_an_api_key_opens_what_its_scopes_name(access: Access) -> None:
    key, row = access.api_keys.create("portal", ["hooks:intake", "runs:*"], by="lena.fox")

    assert row.name == "portal"
    assert access.api_keys.verify(key, "hooks:intake") == "portal"
    assert access.api_keys.verify(key, "runs:read") == "portal"
    for shown, scope in ((key, "hooks:other"), *((wrong, "hooks:intake") for wrong in (key[:-1], "\ud800", ""))):
        with pytest.raises(KeyRefused) as refused:
            access.api_keys.verify(shown, scope)
        assert key[:-1] not in str(refused.value)


def test_a_revoked_key_opens_nothing_and_frees_its_name(store: SqliteStore, access: Access) -> None:
    key, row = access.api_keys.create("portal", ["hooks:*"])
    with pytest.raises(AccessError, match="has an API key"):
        access.api_keys.create("portal", [])
    with pytest.raises(NotFound):
        Access(store, "other").api_keys.revoke(row.id)
    assert Access(store, "other").api_keys.find(key) is None

    access.api_keys.revoke(row.id)

    assert access.api_keys.find(key) is None
    access.api_keys.create("portal", [])
    assert [given.revoked_at is not None for given in access.api_keys.list()] == [True, False]


def test_what_is_done_to_users_and_keys_is_audited(store: SqliteStore, access: Access) -> None:
    access.users.disable("anna.berg", by="lena.fox")
    access.api_keys.create("portal", [], by="lena.fox")

    trail = [(entry["actor"], entry["action"]) for entry in store.for_client("mercy").audit_trail()]

    assert trail == [("lena.fox", "api_key.create"), ("lena.fox", "user.disable"), ("orderly", "user.create")]
