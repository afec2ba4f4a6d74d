"""The bench of `scripts/bench`: response time beside other pipelines, and the cost of listening to silence."""
