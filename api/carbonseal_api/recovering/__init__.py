"""`carbonseal recover`: what two operators do about a ledger that refuses to run."""
