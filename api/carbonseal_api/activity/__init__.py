"""Who did what, when: every statement about an organisation or by it, with who looked at its data."""
