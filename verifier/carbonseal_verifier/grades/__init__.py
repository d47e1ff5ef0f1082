"""Published grade rules: `<ID>/<VERSION>/grade_rule.toml` with `examples/*.json`. Data only, no code."""
