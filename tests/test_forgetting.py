"""What libraries remember of requests is forgotten: function caches, and the keys of JSON objects."""

from __future__ import annotations

from functools import lru_cache

import orjson
from yarl import URL

from collector.forgetting import Forgetting


def test_caches_of_functions_are_emptied() -> None:
    @lru_cache
    def remembers(text: str) -> str:
        return text.upper()

    forgetting = Forgetting(strict=False)
    remembers("/users/jane?token=1")
    forgetting.forget()
    assert remembers.cache_info().currsize == 0


def test_an_address_that_was_read_is_not_kept() -> None:
    forgetting = Forgetting(strict=False)
    first = URL("/users/jane?token=1", encoded=True)
    forgetting.forget()
    assert URL("/users/jane?token=1", encoded=True) is not first


def test_keys_of_objects_are_not_kept() -> None:
    bodies = [b'{"203.0.113.%d":1}' % number for number in range(2_000)]
    forgetting = Forgetting(strict=False)
    kept = [next(iter(orjson.loads(body))) for body in bodies]
    assert sum(next(iter(orjson.loads(body))) is key for body, key in zip(bodies, kept, strict=True)) > 500
    forgetting.forget()
    assert not [key for body, key in zip(bodies, kept, strict=True) if next(iter(orjson.loads(body))) is key]
