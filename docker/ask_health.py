"""Ask this container's own web server how it is: exit code 0 if /healthz answers 200."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    port = int(os.environ.get("SD_BIND", "127.0.0.1:8000").rpartition(":")[2])
    # The site answers only to names it knows, and over https redirects what its proxy did not mark
    # as secure.
    host = (
        os.environ.get("SD_ALLOWED_HOSTS", "localhost")
        .split(",")[0]
        .strip()
        .removeprefix(".")
        .replace("*", "localhost")
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
    except OSError as error:
        sys.stderr.write(f"the web server does not answer on port {port}: {error}\n")
        return 1
    if answer.status != 200:
        sys.stderr.write(f"/healthz answered {answer.status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
