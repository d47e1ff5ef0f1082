"""Carbonseal: emissions under named, versioned methods, in Decimal.

Reading order: `arithmetic` says what exact means; `units` and `periods` give quantities and months;
`expression` is the language of equations; `factors` and `method` read published packages (`packages` gives
their digests); `activity` turns signed readings into monthly amounts; `inventory` computes, and `trace`
writes the calculation down. `stated` and `cli` do the same for amounts typed in, without a server. No
network, clock, database or float anywhere.
"""
