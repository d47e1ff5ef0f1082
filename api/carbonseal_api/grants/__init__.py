"""Grants: what an enterprise lets others see, for which purpose, up to which level, of which period."""
