"""Simulators that speak the real protocol, for tests, the demo and trying out a gateway file."""
