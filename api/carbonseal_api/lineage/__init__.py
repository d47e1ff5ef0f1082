"""Lineage: from any figure down to what made it, and from any statement up to all that used it.

`identifiers` names what can be asked for, `projector` draws what statements say of each other, `derived` adds
what follows from them (which readings a report counts), `walk` goes along both.
"""
