"""What an enterprise does beside its meters: enrol gateways, file plans and calibrations, file reports."""
