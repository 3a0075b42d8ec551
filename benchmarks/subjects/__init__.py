"""One module a subject; benchmarks/frame.py says how one is added."""
