"""The bench of `scripts/bench echo`: whether Parley hears itself, and the user over its own voice."""
