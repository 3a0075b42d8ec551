"""Azure, by its own SDK (requirements/azure.txt): a subscription's inventory, its live state, and changes."""
