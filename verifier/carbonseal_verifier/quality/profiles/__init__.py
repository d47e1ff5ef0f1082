"""Quality profiles as data, one TOML file each."""
