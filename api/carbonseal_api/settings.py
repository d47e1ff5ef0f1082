"""The settings of the service: one typed object, read once, unknown names refused.

Sources, later ones win: defaults, `carbonseal.toml` in the data folder, environment variables
`CARBONSEAL_<NAME>`, arguments. `DATABASE_URL` and `CHAIN_RPC_URL` are read under these customary names.
Each setting says what an attacker gains by changing it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from carbonseal_api.problems import SettingsInvalid
from carbonseal_attest.errors import CarbonsealError
from carbonseal_attest.keys import PublicKey

PREFIX: Final = "CARBONSEAL_"
FILE_NAME: Final = "carbonseal.toml"
CUSTOMARY: Final = {
    "DATABASE_URL": "database_url",
    "CHAIN_RPC_URL": "chain_rpc_url",
    "REDIS_URL": "redis_url",
}
# Read by other modules, programs or the tests, never by this object.
OTHERS: Final = frozenset(
    PREFIX + name
    for name in (
        *("FONT", "LONG", "SHARED_DATA", "NODE_MODULES", "GATEWAY_PASSPHRASE"),
        *("API_KEY", "TOKEN", "CLIENT_ID", "CLIENT_SECRET", "TRUST", "SERVICE", "CREDIT_CODE"),
    )
)


class Settings(BaseModel):
    """What one service process needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_folder: Path = Field(
        default=Path(".carbonseal"),
        description="Keys, embedded database, published copy. Whoever writes here can replace the log key.",
    )
    published_folder: Path | None = Field(
        default=None,
        description="The published copy; on another disk in production. Who writes here and to the database "
        "can roll the logs back unnoticed until the next anchor is compared.",
    )
    published_bucket: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9.-]+(/[A-Za-z0-9._-]+)*/?$",
        description="The published copy in S3-compatible storage instead, as s3://bucket/prefix; credentials "
        "as boto3 finds them. Who writes there has the power of who writes to the folder.",
    )
    entries_folder: Path | None = Field(
        default=None,
        description="Where entry bundles are kept too. Never inside what a web server shows: headers reveal "
        "shifts, outages and lenders.",
    )
    entries_bucket: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9.-]+(/[A-Za-z0-9._-]+)*/?$",
        description="Entry bundles in S3-compatible storage, as s3://bucket/prefix; keep it private.",
    )
    s3_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        description="Where the storage answers; unset: AWS. Whoever answers there holds the second copy.",
    )
    s3_region: str | None = Field(default=None, description="Of the buckets, where the storage has regions.")
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL; unset starts the embedded one. Its owner can withhold, not forge.",
    )
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Queue of the background jobs. Whoever writes to it can start jobs, not sign statements.",
    )
    chain_rpc_url: str | None = Field(
        default=None,
        description="JSON-RPC of the chain. A lying node delays anchors; it cannot forge evidence.",
    )
    is_anvil: bool = Field(
        default=False, description="The chain is a local Anvil: the gas account is funded by itself."
    )
    anchor_contract: str | None = Field(
        default=None,
        description="Address of the LogAnchor contract; wrong, and anchors are worthless to checkers.",
    )
    membership_contract: str | None = Field(
        default=None,
        pattern=r"^0x[0-9a-fA-F]{40}$",
        description="Address of the Membership contract, with which the registrar's statements are compared; "
        "unset, and they are compared with nothing.",
    )
    method_registry_contract: str | None = Field(
        default=None,
        pattern=r"^0x[0-9a-fA-F]{40}$",
        description="Address of the MethodRegistry contract, whose events the registrar's log mirrors.",
    )
    chain_id: int | None = Field(default=None, ge=1, description="Refused when the node answers another one.")
    asset_chain_ids: tuple[int, ...] = Field(
        default=(31_337,),  # the development chain, which is nobody's
        description="Chains on which carbon-asset records may be kept, ids parted by commas. Mainland rules "
        "of 2026 forbid tokens of asset rights: add a members' own permissioned chain, never a public one.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; anything else exposes the API.")
    port: int = Field(default=8440, ge=0, le=65535, description="Port; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$",
        description="Address by which others reach the service, without a path; wrong, and links lead "
        "people elsewhere. Unset: host and port.",
    )
    log_host_name: str = Field(
        default="log.carbonseal.example", description="First part of every origin; fixed once a log is open."
    )
    passphrase: SecretStr = Field(
        default=SecretStr(""), description="Opens the key files. Whoever has both can sign as the log host."
    )
    operators: tuple[str, ...] = Field(
        default=(),
        description="Operators of whom two recover a ledger that refuses to run: NAME=PUBLIC KEY, parted by "
        "commas. Who names his own, and has the log key, can start without a witness; the log shows it.",
    )
    sm2: bool = Field(
        default=False,
        description="Admit keys and statements of SM2 with SM3; needs carbonseal-attest[sm2], and "
        "readers whose trust files list it.",
    )
    witness_policy: Path | None = Field(
        default=None,
        description="A C2SP tlog-policy file: the witnesses asked to cosign the log of logs, with their "
        "addresses, and the quorum. Who changes it decides who is asked, not who counts for a reader.",
    )
    epoch_seconds: int = Field(
        default=3600, ge=10, le=86_400, description="Time between epochs; longer means later anchors."
    )
    reconcile_seconds: int = Field(
        default=900,
        ge=60,
        le=86_400,
        description="Time between reconciliations; longer means that a disagreement is seen later.",
    )
    max_statement_bytes: int = Field(default=65_536, ge=1024, le=1 << 20, description="Of one single upload.")
    max_batch_bytes: int = Field(default=8 << 20, ge=1024, le=64 << 20, description="Of one batch upload.")
    max_batch_items: int = Field(default=2000, ge=1, le=10_000, description="Statements in one batch.")
    max_content_bytes: int = Field(default=1 << 20, ge=1024, le=16 << 20, description="Of one content.")
    max_document_bytes: int = Field(
        default=32 << 20, ge=1024, le=256 << 20, description="Of one document file."
    )
    max_body_bytes: int = Field(default=65_536, ge=1024, le=1 << 20, description="Of any other request body.")
    replicas: int = Field(
        default=1, ge=1, le=32, description="Web processes that `carbonseal up` runs on one port."
    )
    workers: int = Field(default=1, ge=1, le=32, description="Background workers that `carbonseal up` runs.")
    database_connections: int = Field(
        default=32,
        ge=4,
        le=512,
        description="Of one process at most; those of all processes must fit the server's max_connections.",
    )
    registration_wait_seconds: int = Field(
        default=20, ge=1, le=300, description="After which a single upload is answered 303 and goes on."
    )
    registration_threads: int = Field(
        default=64, ge=1, le=512, description="Registrations waiting at a time."
    )

    @field_validator("operators")
    @classmethod
    def _keyed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        kids = []
        for line in value:
            name, _, key = line.partition("=")
            try:
                kids.append(PublicKey.from_text(key).kid)
            except CarbonsealError as error:
                raise ValueError(f"{line!r:.80} is not NAME=PUBLIC KEY: {error}") from error
            if not 0 < len(name.strip()) == len(name):
                raise ValueError(f"{line!r:.80} names nobody")
        if len(set(kids)) != len(kids) or len({line.partition("=")[0] for line in value}) != len(kids):
            raise ValueError("one operator stands there twice")
        return value

    @field_validator("asset_chain_ids", "operators", mode="before")
    @classmethod
    def _parted(cls, value: object) -> object:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def address(self) -> str:
        """The address by which others reach the service, without a path."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def published(self) -> Path:
        """The folder of the published copy."""
        return self.published_folder or self.data_folder / "published"


def load_settings(environment: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """Return the settings of this process.

    Args:
        environment: Instead of the process's own environment (tests).
        **arguments: Values that win over file and environment; None means not given.

    Raises:
        SettingsInvalid: A name is unknown, a value out of range, or the file is not TOML.
    """
    environ = os.environ if environment is None else environment
    given = {name: value for name, value in arguments.items() if value is not None}
    values = _from_environment(environ) | given
    folder = Path(values.get("data_folder", Settings.model_fields["data_folder"].default))
    try:
        return Settings(**(_from_file(folder / FILE_NAME) | values))
    except ValidationError as problem:
        first = problem.errors()[0]
        raise SettingsInvalid(
            ".".join(str(part) for part in first["loc"]) or "settings",
            "is not a setting" if first["type"] == "extra_forbidden" else first["msg"],
            "see `carbonseal up --help` for the settings",
        ) from problem


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: environ[key] for key, name in CUSTOMARY.items() if environ.get(key)}
    for key, value in environ.items():
        if key.startswith(PREFIX) and key not in OTHERS:
            values[key.removeprefix(PREFIX).lower()] = value
    return values


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsInvalid(
            FILE_NAME, f"cannot be read: {problem}", "write it as TOML, one setting a line"
        ) from None
