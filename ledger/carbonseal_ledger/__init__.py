"""Carbonseal: the transparency service: registration, sequencing, publishing, anchoring."""
