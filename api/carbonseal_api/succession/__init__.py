"""Succession: a log host whose keys or data are lost is closed; another goes on from its last heads."""
