"""Projections: tables about carbon that are drawn from logs and contents, and can be dropped and replayed.

`tables` says what is kept, `replay` turns entries into rows, `store` runs it and remembers how far each
log was read. Readings are indexed by (device, point, interval), never copied row by row.
"""
