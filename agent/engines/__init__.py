"""One file per engine. They run in worker processes and are imported nowhere else."""
