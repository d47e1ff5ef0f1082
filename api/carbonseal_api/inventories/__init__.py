"""Inventories drawn from the series index: monthly activity and emissions under a plan, computed on demand.

These are previews for showing and for the monthly evidence package; the figure of record is the filed
report's.
"""
