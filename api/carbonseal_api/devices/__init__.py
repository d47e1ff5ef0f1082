"""Devices: enrolled meters and gateways, their last readings, and load curves."""
