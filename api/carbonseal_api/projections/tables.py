"""The projection tables. Each row can be drawn again from logs and contents; nothing else is stored here.

Instants are milliseconds since 1970 UTC, intervals half-open. Bodies are the content's own, as JSON with
byte strings in hex. `VERSION` changes whenever a table or its meaning does: a store of another version is
dropped and replayed.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

VERSION: Final = 8

METADATA: Final = MetaData()

PROGRESS: Final = Table(
    "projection_progress",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("next_index", BigInteger, nullable=False, doc="first entry not read yet"),
)

STATE: Final = Table("projection_state", METADATA, Column("version", Integer, primary_key=True))

PARTIES: Final = Table(
    "projection_parties",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("name", JSONB, nullable=False),
    Column("org", Text),
    Column("register_origin", Text, nullable=False),
    Column("data_origin", Text, nullable=False),
    Column("statement_digest", LargeBinary, nullable=False, doc="the newest statement about the party"),
)

DEVICES: Final = Table(
    "projection_devices",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("class", Text, nullable=False),
    Column("action", Text, nullable=False, doc="the newest: enrol, rotate, suspend or revoke"),
    Column("key_storage", Text, nullable=False),
    Column("kid", LargeBinary, nullable=False),
    Column("name", JSONB, nullable=False),
    Column("subjects", ARRAY(Text), nullable=False),
    Column("statement_digest", LargeBinary, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
)

PLANS: Final = Table(
    "projection_plans",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("plan", Text, primary_key=True),
    Column("plan_version", Integer, primary_key=True),
    Column("statement_digest", LargeBinary, nullable=False),
    Column("effective_start", BigInteger, nullable=False),
    Column("effective_end", BigInteger),
    Column("body", JSONB, nullable=False),
)

SERIES: Final = Table(
    "projection_series",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True, doc="in the party's data log"),
    Column("position", Integer, primary_key=True, doc="of the series in its content"),
    Column("kind", Text, nullable=False, doc="readings or gap"),
    Column("device", Text, nullable=False),
    Column("point", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("interval_start", BigInteger, nullable=False),
    Column("interval_end", BigInteger, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("statement_digest", LargeBinary, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("kid", LargeBinary, nullable=False, doc="who signed: leads to the signer class"),
    Column("registered_at", BigInteger, nullable=False),
    Index("projection_series_lookup", "party", "device", "point", "interval_start"),
)

LAST_READINGS: Final = Table(
    "projection_last_readings",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("point", Text, primary_key=True),
    Column("measured_at", BigInteger, nullable=False),
    Column("value", Text),
    Column("unit", Text, nullable=False),
    Column("quality", Text, nullable=False),
    Column("statement_digest", LargeBinary, nullable=False),
)

RESULTS: Final = Table(
    "projection_results",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("log", Text, primary_key=True, doc="register or data: both count their entries from 0"),
    Column("entry_index", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False, doc="quality_code, emissions_report, document, calibration, ..."),
    Column("subject", Text, nullable=False),
    Column("interval_start", BigInteger),
    Column("interval_end", BigInteger),
    Column("statement_digest", LargeBinary, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("body", JSONB, nullable=False),
    Index("projection_results_kind", "party", "kind", "entry_index"),
    Index("projection_results_digest", "statement_digest"),
    Index("projection_results_subject", "party", "kind", "subject", "entry_index"),
)

MONTHLY_ACTIVITY: Final = Table(
    "projection_monthly_activity",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("plan_digest", LargeBinary, primary_key=True),
    Column("month", Text, primary_key=True, doc="civil month of the site, 2026-01"),
    Column("data_size", BigInteger, nullable=False, doc="size of the data log that it was drawn from"),
    Column("register_size", BigInteger, nullable=False, doc="size of the register log, with the corrections"),
    Column("inventory", JSONB, nullable=False, doc="Inventory.to_json() of the month"),
    Column("comparisons", JSONB, nullable=False, doc="each stream's months with what every source gives"),
)

# Carbon-asset records as the registrar's asset_act statements tell them. `registrar` is in each key, so that
# what another party with that role writes in its own log stands apart and is never read.
ASSET_RECORDS: Final = Table(
    "projection_asset_records",
    METADATA,
    Column("registrar", Text, primary_key=True, doc="whose data log tells it"),
    Column("record", LargeBinary, primary_key=True, doc="its id on the chain"),
    Column("registry", Text, nullable=False),
    Column("batch", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False, doc="included"),
    Column("holder", Text, nullable=False),
    Column("verification_report", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, doc="live, split, retired, surrendered or cancelled"),
    Column("statement_digest", LargeBinary, nullable=False, doc="the newest act that changed the row"),
    Column("registered_at", BigInteger, nullable=False),
    Index("projection_asset_records_holder", "registrar", "holder"),
    Index("projection_asset_records_report", "verification_report"),
)

ASSET_PARTS: Final = Table(
    "projection_asset_parts",
    METADATA,
    Column("registrar", Text, primary_key=True),
    Column("part", LargeBinary, primary_key=True, doc="record that came from a split"),
    Column("parent", LargeBinary, nullable=False, doc="record that was split"),
    Column("statement_digest", LargeBinary, nullable=False),
)

ASSET_FREEZES: Final = Table(
    "projection_asset_freezes",
    METADATA,
    Column("registrar", Text, primary_key=True),
    Column("record", LargeBinary, primary_key=True),
    Column("cause", Text, primary_key=True, doc="statement digest of the open impact, hex"),
    Column("is_standing", Boolean, nullable=False),
    Column("statement_digest", LargeBinary, nullable=False, doc="the freeze, or the release that ended it"),
)

STATEMENTS: Final = Table(
    "projection_statements",
    METADATA,
    Column("party", Text, primary_key=True, doc="whose log it is"),
    Column("log", Text, primary_key=True, doc="register or data"),
    Column("entry_index", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False, doc="any but tick, with or without its content being here"),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("kid", LargeBinary, nullable=False, doc="who signed: leads to the signer class"),
    Column("stream", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("interval_start", BigInteger),
    Column("interval_end", BigInteger),
    Column("statement_digest", LargeBinary, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Index("projection_statements_digest", "statement_digest", postgresql_using="hash"),
    Index("projection_statements_time", "party", "registered_at"),
    Index("projection_statements_kind", "party", "kind", "registered_at"),
)

MENTIONS: Final = Table(
    "projection_mentions",
    METADATA,
    Column("party", Text, primary_key=True, doc="whom a statement of somebody else is about"),
    Column("log_party", Text, primary_key=True, doc="whose log it is, with log and entry_index"),
    Column("log", Text, primary_key=True),
    Column("entry_index", BigInteger, primary_key=True),
    Column("registered_at", BigInteger, nullable=False),
    Index("projection_mentions_time", "party", "registered_at"),
)

EDGES: Final = Table(
    "projection_edges",
    METADATA,
    Column("source", Text, primary_key=True, doc="identifier of what rests on the target"),
    Column("relation", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("party", Text, nullable=False, doc="whose log holds the statement that says so"),
    Column("source_kind", Text, nullable=False),
    Column("target_kind", Text, nullable=False, doc="statement where the edge itself does not say more"),
    Index("projection_edges_target", "target", "relation"),
    Index("projection_edges_party", "party", "relation"),
)

# How far `impacts.service.travel` has looked: a place to go on from, which a replay may lose without harm.
SETTLED: Final = Table(
    "projection_settled",
    METADATA,
    Column("party", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("next_index", BigInteger, nullable=False, doc="first entry not looked at yet"),
)

MARKS: Final = Table(
    "projection_marks",
    METADATA,
    Column("impact_digest", LargeBinary, primary_key=True, doc="statement digest of the impact"),
    Column("position", Integer, primary_key=True, doc="in its list of what is affected"),
    Column("issuer", Text, nullable=False, doc="whose statement; only a log host's own are believed"),
    Column("state", Text, nullable=False, doc="open or cured"),
    Column("cause", Text, nullable=False),
    Column("cause_digest", LargeBinary, nullable=False),
    Column("cures", LargeBinary, doc="the open impact, of a cured one"),
    Column("kind", Text, nullable=False, doc="of what is affected"),
    Column("party", Text, nullable=False, doc="whose it is"),
    Column("digest", LargeBinary, nullable=False, doc="statement digest, or id of the asset record"),
    Column("registered_at", BigInteger, nullable=False),
    Index("projection_marks_digest", "digest"),
    Index("projection_marks_party", "party", "state"),
    Index("projection_marks_cause", "cause_digest"),
)

# What stands among the projections and is not drawn by a replay: why an audit makes none of it again.
KEPT_BESIDE: Final = {
    MONTHLY_ACTIVITY.name: "made anew when a log grew; a check of a bundle computes for itself",
    SETTLED.name: "place to go on from; never beyond what was read",
}
