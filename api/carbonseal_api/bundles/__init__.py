"""Evidence bundles: gathering from the ledger what a stranger needs, in the layout of `attest`."""
