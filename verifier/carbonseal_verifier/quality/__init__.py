"""Data quality: rules as data with their code, and the data code (数据红绿码) that follows from them.

Reading order: `catalogue` (what the rules are), `series_index` (readings by point), `scope` (what a
rule sees), `rules/` (one module per family), `profile` (limits), `code` (green, red or pending, with
reasons and cures).
"""
