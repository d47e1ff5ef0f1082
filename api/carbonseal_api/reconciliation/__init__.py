"""Reconciliation of the deployment: a job compares every source, and what disagrees holds up what is new.

`carbonseal_ledger.reconciliation` compares and keeps; here it is run (`service`), shown (`endpoints`, `cli`),
and `holding` refuses new reports and asset movements until a person has looked.
"""
