"""The bench of two heavy models: how soon a long reply sounds when mind and voice may not run at once."""
