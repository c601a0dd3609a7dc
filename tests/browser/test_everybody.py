"""Light and dark, wide and narrow, by eye and by ear: nothing that axe knows of is wrong, nothing scrolls sideways."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.lived import NEW_SITE, PRODUCT, SITE, Lived
from tests.browser.screen import WIDTHS, Look, Screen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("property", [SITE, PRODUCT])
def test_a_face_is_accessible_at_every_width(
    look: Look, lived: Lived, property: str, scheme: Literal["light", "dark"]
) -> None:
    screen = look(color_scheme=scheme).open(property=property, **lived.range)
    for width in WIDTHS:
        screen.resize(width)
        screen.assert_accessible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_beside_the_faces_is_accessible_too(look: Look, lived: Lived, scheme: Literal["light", "dark"]) -> None:
    nobody = look(None, color_scheme=scheme)
    nobody.expects(401)
    nobody.open()
    check(nobody)
    screen = look("vera", color_scheme=scheme).open(property=SITE, details="pages", **lived.range)
    check(screen)
    check(screen.open(property=SITE, filter="path==/tour", **lived.range))
    check(screen.open(property=NEW_SITE))  # not hers
    check(look(color_scheme=scheme).open(property=NEW_SITE))  # nothing there, or little


def test_a_view_is_all_in_its_address(look: Look, lived: Lived) -> None:
    view = {"filter": "path==/tour", "metric": "hits", "compare": "none", "interval": "week"}
    screen = look().open(property=SITE, **view, **lived.range)
    expect(screen.choice("Compare with")).to_have_value("")
    expect(screen.choice("Interval")).to_have_value("week")
    expect(screen.page.get_by_role("list", name="Filters")).to_contain_text("Page is /tour")
    expect(screen.page.locator(".tile", has_text="Hits").first).to_have_attribute("aria-pressed", "true")
    assert all(tile.change == "" for tile in screen.tiles().values())


def check(screen: Screen) -> None:
    """At the widest and at the narrowest."""
    for width in (WIDTHS[0], WIDTHS[-1]):
        screen.resize(width)
        screen.assert_accessible()
