"""Accounts of parties: OAuth2 clients of their programs, and persons with password and one-time code."""
