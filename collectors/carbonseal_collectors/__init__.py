"""Carbonseal: what runs on a gateway: adapters, sealing, spool, uplink."""
