"""Ask this container's own web server whether it is ready: exit 0 or 1. As the proxy in front would ask."""

from __future__ import annotations

import http.client
import sys

if __name__ == "__main__":
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    connection.request("GET", "/health/ready", headers={"X-Forwarded-Proto": "https"})
    sys.exit(connection.getresponse().status != http.client.OK)
