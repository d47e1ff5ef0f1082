"""The errors of the collectors room: one root, leaves named by what went wrong.

Each error names the place (`field`), what is wrong there (`reason`) and what to do about it (`remedy`); the
command line prints exactly that as one line.
"""

from __future__ import annotations

from carbonseal_attest.errors import CarbonsealError


class CollectorError(CarbonsealError):
    """Anything that a gateway refuses or cannot do."""

    code = "collector-error"


class ConfigInvalid(CollectorError):
    """A gateway file that cannot be taken: unknown key, wrong type, value out of range."""

    code = "gateway-config-invalid"


class RegisterMapInvalid(CollectorError):
    """A Modbus register map that cannot be taken."""

    code = "register-map-invalid"


class PlanInvalid(CollectorError):
    """A monitoring plan file that cannot be taken."""

    code = "plan-invalid"


class AdapterUnknown(CollectorError):
    """No installed package registers the adapter that a source names."""

    code = "adapter-unknown"


class SourceRefused(CollectorError):
    """A source, or one of its files, that cannot be read as configured; the other sources go on."""

    code = "source-refused"


class KeyUnusable(CollectorError):
    """The gateway's key file or its passphrase cannot be used."""

    code = "gateway-key-unusable"


class SpoolRefused(CollectorError):
    """The spool cannot be opened, or belongs to another gateway, or contradicts itself."""

    code = "spool-refused"


class SpoolFull(CollectorError):
    """The spool has reached its limit: nothing new is taken in, nothing taken is lost."""

    code = "spool-full"


class UplinkUnusable(CollectorError):
    """The ledger cannot be talked to as configured; nothing is lost by it."""

    code = "uplink-unusable"


class PlantInvalid(CollectorError):
    """A plant simulator that is told something impossible."""

    code = "plant-invalid"
