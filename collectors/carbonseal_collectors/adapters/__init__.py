"""The adapters of this distribution, one module each, registered like anybody else's in pyproject.toml."""
