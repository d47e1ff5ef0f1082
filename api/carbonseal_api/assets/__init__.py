"""Carbon-asset records: what two persons propose and confirm, its mirror in the log, and their agreement.

A record is not a token: it says who holds which serials of which official registry, and nothing here can be
bought, offered or delegated. `acts` says what an act is, `opinion_checks` and `record_checks` what must hold
before one is sent, `accounts` who signs on the chain, `service` takes an act from proposal to mirror
statement, `agreement` compares contract, database and log.
"""
