"""The demo: two tenants with an estate of our own making, so that every page has something true to show."""
