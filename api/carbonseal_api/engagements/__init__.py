"""Verification engagements: what was opined on a report, which of it counts, and what a body may verify."""
