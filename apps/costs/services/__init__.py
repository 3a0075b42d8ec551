"""What changes costs: imports, settings, detection, budgets."""
