"""Pages of actions."""
