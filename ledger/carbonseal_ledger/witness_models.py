"""The witnesses' tables: cosignatures of heads of the log of logs, and how each witness last answered.

No projections: a cosignature cannot be made again here. Each is verified when it comes and when it is used,
so that whoever writes to these tables can withhold one, not forge it. Instants are milliseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from carbonseal_ledger.models import Base


class StoredCosignature(Base):
    """One witness's cosignature of one head of a log of this host."""

    __tablename__ = "ledger_cosignatures"

    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    tree_size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    witness: Mapped[str] = mapped_column(Text, primary_key=True, doc="verifier key")
    root_hash: Mapped[bytes] = mapped_column(LargeBinary, doc="of the head that was cosigned")
    signature: Mapped[bytes] = mapped_column(LargeBinary, doc="after the key id: time and signature")
    obtained_at: Mapped[int] = mapped_column(BigInteger)


class WitnessAnswer(Base):
    """How one witness last answered about one log; `problem` is empty where it cosigned."""

    __tablename__ = "ledger_witness_answers"

    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    witness: Mapped[str] = mapped_column(Text, primary_key=True, doc="verifier key")
    held_size: Mapped[int] = mapped_column(BigInteger, doc="of the newest head that it said it holds")
    asked_at: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(Integer, doc="since it last cosigned")
    problem_code: Mapped[str] = mapped_column(Text)
    problem: Mapped[str] = mapped_column(Text)
