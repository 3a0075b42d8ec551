"""The cost pages."""
