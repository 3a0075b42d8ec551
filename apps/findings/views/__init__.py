"""Pages of violations, exceptions, recommendations and scans."""
