"""What the registrar publishes: method packages, factor sets and quality profiles."""
