"""The line about each answered request. It has no query and no referrer: either may carry a token."""

import logging

from aiohttp.abc import AbstractAccessLogger
from aiohttp.web import BaseRequest, StreamResponse


class AccessLine(AbstractAccessLogger):
    """Writes one line a request: from where, what, the status, the bytes, the milliseconds, the program."""

    @property
    def enabled(self) -> bool:
        """Whether anybody reads the lines."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write the line."""
        self.logger.info(
            '%s "%s %s" %s %s %s ms "%s"',
            request.remote or "-",
            request.method,
            request.rel_url.raw_path,
            response.status,
            response.body_length,
            round(time * 1000),
            request.headers.get("User-Agent", "-")[:200],
        )
