"""Somebody reads a product's events as a feed."""

import asyncio
from urllib.parse import urlencode

import azure.functions as func

from handlers.callers import caller
from handlers.problems import answer, answers_later
from handlers.queries import number, product_of
from mesh import entitlement, feed
from mesh.backbone import backbone
from mesh.feed import Page

blueprint = func.Blueprint()


@blueprint.function_name("list_events")
@blueprint.route("products/{domain}/{product}/events", methods=["GET"])
@answers_later
async def list_events(req: func.HttpRequest) -> func.HttpResponse:
    product = product_of(req)
    limit = number(req, "limit", 100, lowest=1, highest=feed.MOST_READ)
    subscription = req.params.get("subscription", "")
    known = req.headers.get("if-none-match", "")
    if subscription:
        await asyncio.to_thread(
            entitlement.check_shown, backbone(), caller(req), product, subscription
        )
    page = await feed.wait(
        backbone(),
        product,
        after=number(req, "after", 0, highest=10**18),
        limit=limit,
        subscription=subscription,
        known=known,
        seconds=number(req, "wait", 0, highest=feed.LONGEST_WAIT_S),
    )
    query = {"limit": str(limit)} | ({"subscription": subscription} if subscription else {})
    return _page(f"/api/products/{product}/events", page, query, known)


def _page(path: str, page: Page | None, query: dict[str, str], known: str) -> func.HttpResponse:
    """200 with the events and where the next are; 304 when the caller has the page (`known`)."""
    if page is None:
        return func.HttpResponse(status_code=304, headers={"ETag": known})
    following = f"{path}?{urlencode({'after': page.upto, **query})}"
    said = answer({"events": list(page.events), "next": following})
    said.headers["ETag"] = page.tag
    return said
