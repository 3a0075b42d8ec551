"""What can be done to a cloud: one module a kind, and one static dict of them (`table.py`)."""
