"""`make bench`: what is claimed of speed, measured side by side in one run. See benchmarks/frame.py."""
