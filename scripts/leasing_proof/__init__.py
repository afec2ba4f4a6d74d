"""What `scripts/prove_leasing` runs: exploration, long walks and mutants of the scheduler's core."""
