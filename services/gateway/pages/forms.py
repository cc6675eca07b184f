"""Where a form leads: back to the page it stood on, which then shows what came of it."""

from http import HTTPStatus

from aiohttp import web


def back_to(path: str) -> web.Response:
    """Show a page again after a form was taken; reloading it sends nothing a second time."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})
