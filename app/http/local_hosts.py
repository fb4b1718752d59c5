"""In a demo, which `Host` a request may name.

A demo lets everybody in who can reach it, and that is this machine alone. A page of another site could reach it all the same,
through a name of its own that its DNS turns into 127.0.0.1: for the browser both are one site. It cannot hide that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

LOCAL: Final = ("localhost", "127.0.0.1", "[::1]")

REFUSED: Final = "A demo answers on localhost only: PUBLIC_URL and DEMO_HOSTS name other hosts of yours."


def host_check(config: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a request, by its WSGI environment, names a host that this process is; outside a demo every one.

    The port, where one is named, is the one that the request came to (behind trusted proxies: to them).
    """
    if not config["IS_DEMO"]:
        return lambda environ: True
    # Providers' sandboxes call back there, through a tunnel for example.
    public = urlsplit(config["PUBLIC_URL"])
    hosts = {*LOCAL, *config["DEMO_HOSTS"], public.hostname, public.netloc.lower()}

    def is_ours(environ: Mapping[str, Any]) -> bool:
        given = environ.get("HTTP_HOST")
        if given is None:
            return True  # no browser leaves it out
        name = given.lower().removesuffix(f":{environ['SERVER_PORT']}")
        return name in hosts

    return is_ours
