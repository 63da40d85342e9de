"""Settings of a connection to a database."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.sdk import Duration, SecretStr, Settings

#: The drivers that are tested; the address may name another one.
_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite+pysqlite",
}


class SqlSettings(Settings):
    """A database of a partner's or of our own, reached by SQLAlchemy."""

    url: str = Field(
        description="address as SQLAlchemy writes it, without user and password: postgresql://, mariadb://, "
        "sqlite:///, or with the name of a driver that is installed",
        examples=["postgresql://erp-db.example:5432/erp", "sqlite:////srv/exchange/stock.db"],
    )
    user: str = Field(default="", description="user name there", examples=["orderly"])
    password: SecretStr | None = Field(default=None, description="password", examples=["env:ERP_DB_PASSWORD"])
    tls: Literal["verify", "off"] = Field(
        default="verify",
        description="verify the server's certificate and name; off sends all in clear, on this machine or a line "
        "that is protected otherwise",
        examples=["off"],
    )
    authorities: str = Field(
        default="",
        description="PEM file of the authorities that may have signed the certificate; empty: those of the system",
        examples=["/etc/orderly/erp-db-ca.pem"],
    )
    connect_timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="longest wait for a connection; on SQLite for another writer",
        examples=["10s"],
    )
    statement_timeout: Duration = Field(
        default=timedelta(seconds=60), description="longest duration of one statement", examples=["60s"]
    )

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except ArgumentError:
            raise ValueError("not an address like postgresql://host:5432/database") from None
        if url.username or url.password:
            raise ValueError("user and password stand in settings of their own, not in the address")
        if not url.database:
            raise ValueError("the address names no database")
        return value

    @model_validator(mode="after")
    def _times_are_some(self) -> Self:
        if not self.connect_timeout or not self.statement_timeout:
            raise ValueError("connect_timeout and statement_timeout have to be longer than nothing")
        return self

    def address(self) -> URL:
        """With the driver and who we are."""
        url = make_url(self.url)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        secret = self.password.get_secret_value() if self.password else None
        return url.set(username=self.user or None, password=secret)
