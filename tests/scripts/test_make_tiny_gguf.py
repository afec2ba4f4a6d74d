from __future__ import annotations

import runpy
from pathlib import Path

import gguf

TINY = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "make_tiny_gguf.py"))


def test_the_tiny_model_is_small_and_has_a_chat_template(tmp_path):
    path = TINY["make_tiny_gguf"](tmp_path / "tiny.gguf")
    assert path.stat().st_size < 1_000_000
    assert gguf.GGUFReader(path).fields["tokenizer.chat_template"].contents() == TINY["TEMPLATE"]


def test_the_same_seed_gives_the_same_model(tmp_path):
    one, two, other = (
        TINY["make_tiny_gguf"](tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()
