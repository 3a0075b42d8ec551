"""The SQL back end: rule trees to statements."""
