"""Logs over HTTP: registration (SCRAPI-shaped), checkpoints, tiles, receipts and proofs."""
