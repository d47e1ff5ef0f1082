"""Carbonseal: re-performs everything from one evidence bundle."""
