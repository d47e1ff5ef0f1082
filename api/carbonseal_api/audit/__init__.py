"""`carbonseal fsck`: every stored byte of a deployment against what covers it."""
