"""The trust file, read and written, in one module a subject.

file        the whole: TrustFile, and that it does not contradict itself
registrars  whose admissions count
log_hosts   origins, log keys by tree size, logs that were closed
witnesses   the quorum that must have cosigned
chains      contracts, code, blocks that are believed
algorithms  what counts, and until when
limits      freshness, anchor, commit delay, rule and grade profiles
signature   the publisher's signature, and the digest to be read out
tables      TOML, read strictly
"""

from carbonseal_attest.trust.algorithms import Algorithms
from carbonseal_attest.trust.chains import format_chain
from carbonseal_attest.trust.file import (
    FORMAT,
    TrustFile,
    format_trust_file,
    sign_trust_file,
    sign_trust_text,
)
from carbonseal_attest.trust.limits import Limits
from carbonseal_attest.trust.log_hosts import ClosedLog, LogKey, TrustedLogHost
from carbonseal_attest.trust.registrars import TrustedRegistrar
from carbonseal_attest.trust.signature import spoken
from carbonseal_attest.trust.tables import MAX_TRUST_FILE
from carbonseal_attest.trust.witnesses import Witnesses

__all__ = [
    "FORMAT",
    "MAX_TRUST_FILE",
    "Algorithms",
    "ClosedLog",
    "Limits",
    "LogKey",
    "TrustFile",
    "TrustedLogHost",
    "TrustedRegistrar",
    "Witnesses",
    "format_chain",
    "format_trust_file",
    "sign_trust_file",
    "sign_trust_text",
    "spoken",
]
