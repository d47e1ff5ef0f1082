"""Organisations: the parties that the registrar admitted, and the API keys of their programs."""
