"""Bad things done to the processes behind leases, again and again, and what becomes of the leases.

The real scheduler `agent.vram.Vram` runs over real worker processes and on real time (`house.py`). What goes wrong is
ordered of a fake engine in such a process (`engine.py`), or done to it by a signal: in every phase of a lease
(`injections.py`), and while the memory is wanted by others (`yields.py`). Only the graphics card is simulated, at the
border of NVIDIA's library. Last, the engines that are built in are loaded and unloaded, in RAM (`unloads.py`).
"""
