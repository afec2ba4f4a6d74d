"""How long a person waits for the GPU under Parley's leases, and under two policies of other shapes.

Whole days are lived on virtual time (`companion.py`) by the same user (`day.py`) on the same fake hardware
(`hardware.py`): Parley's real scheduler `agent.vram.Vram` (`parley.py`), and rewritten shapes of Ollama's and
llama-swap's schedulers (`ollama.py`, `llama_swap.py`), each as it comes and as its documentation would tune it. What an
uncontended lease costs beside a plain lock is measured in real time (`overhead.py`).
"""
