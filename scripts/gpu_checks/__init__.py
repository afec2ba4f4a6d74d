"""The check of `scripts/gpu_check`: every engine loaded, used, swapped and ended on a GPU, and measured."""
