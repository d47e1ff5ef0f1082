"""Carbonseal's collectors: what runs on a gateway, from the meter to the ledger's door.

Read in the order of a reading's way: `gateway_config` (one TOML file says everything), `adapter` (the
contract) with `adapters/csv_drop` and `adapters/modbus`, `batching` (windows, gaps), `sealing` (signed
statements), `spool` (the durable queue), `uplink` (ledger, receipts), `agent` (ties them; each step can be
driven by a simulated clock), `cli`. Beside them `plan_file` reads monitoring plans and `simulators` play a
plant behind a real Modbus TCP server.
"""
