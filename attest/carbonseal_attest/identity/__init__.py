"""Who may sign what, decided by log position: one fold for the ledger and for the checker.

`devices` folds a party's register log into its device keys, `parties` a registrar's register log into its
parties and their keys, `streams` says whether a statement follows in its stream. Each `check` decides whether
a statement may be added to what the log says so far; each `apply` adds it. All of it is pure: no clock, no
database, no network (`docs/spec/identity.md`, `docs/decisions/0009-one-function-for-both-sides.md`).
"""
