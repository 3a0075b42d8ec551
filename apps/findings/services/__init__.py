"""What the findings do: scans, and the exceptions that people decide on."""
