"""The properties that may be asked about, as the configuration registers them.

    GET /api/v1/properties   {"properties": [{"id", "sort", "annotations": [{"day", "text"}]}]}   readers

Only those that the asker may see; `sort` is site or product, annotations are in the order of their days.
"""

from __future__ import annotations

import orjson
from aiohttp import web

from collector.analyst.access import ASKER, Route, Rule
from collector.catalogue.registry import Registry


def properties_route(registry: Registry) -> Route:
    """The route above."""
    sorts = dict.fromkeys(registry.sites, "site") | dict.fromkeys(registry.products, "product")
    told = [
        {
            "id": property_id,
            "sort": sort,
            "annotations": [
                {"day": each.day, "text": each.text}
                for each in sorted(registry.annotations, key=lambda annotation: annotation.day)
                if each.property == property_id
            ],
        }
        for property_id, sort in sorts.items()
    ]

    async def tell(request: web.Request) -> web.Response:
        asker = request[ASKER]
        theirs = [each for each in told if asker.may_see(str(each["id"]))]
        return web.Response(body=orjson.dumps({"properties": theirs}), content_type="application/json")

    return Route("GET", "/api/v1/properties", Rule.READER, tell)
