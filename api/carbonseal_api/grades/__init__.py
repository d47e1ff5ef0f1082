"""Low-carbon grades: built from statements, signed by the log host's party, given out under grants."""
