"""The Azure Policy front end."""
