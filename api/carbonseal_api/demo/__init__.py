"""`carbonseal demo`: the whole journey on one machine, then the attempts to cheat.

`stage` brings up real parts (PostgreSQL, an EVM node, the HTTP service), `cast` founds the parties,
`plant_month` and `file_import` bring readings in, `journey` files the report and closes the bundle, `drills`
attack copies of it, `narrator` tells it on screen. Only the clock is simulated, and only for the plant.
"""
