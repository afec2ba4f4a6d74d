"""The making of the starter model: generate small talk, train a small llama on it, export it, judge it."""
