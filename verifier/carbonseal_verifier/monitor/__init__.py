"""A monitor: follows a log host from outside, re-hashes what it publishes, keeps what contradicts itself.

`log_reader` fetches, `kept` remembers, `growth` re-hashes tiles, `log_keys` knows whose signature counts,
`inconsistency` writes evidence, `rounds` goes through it all. It needs no account for checkpoints and hash
tiles; whole epoch maps need a token. It leaves out the chain (`check --rpc`) and what statements say.
"""
