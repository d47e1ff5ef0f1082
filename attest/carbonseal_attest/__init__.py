"""What is signed in Carbonseal, and how it is proved.

Read in this order: `cbor` (one way to write bytes), `keys` and `signing`, `statement` (the one envelope),
`contents` (what statements say, a registry with one module a kind), `merkle` and `tiles` (RFC 9162 trees),
`checkpoint` and `receipt`, `epoch` (the log of logs), `anchor` (evidence from an EVM chain), `trust` (what a
relying party believes) and `bundle` (everything a stranger needs). Nothing here touches a network, a clock
or a disk.
"""
