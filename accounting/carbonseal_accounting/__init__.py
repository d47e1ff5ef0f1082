"""Carbonseal: emissions under named, versioned methods, in Decimal."""
