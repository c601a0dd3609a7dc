"""Signing in, out and being put out, as people meet it in the browser."""

from __future__ import annotations

import orjson
from playwright.sync_api import expect

from tests.browser.lived import NEW_PRODUCT, NEW_SITE, PASSWORD, PRODUCT, SITE, Lived
from tests.browser.screen import Look, Screen


def sign_in(screen: Screen, name: str, password: str) -> None:
    screen.page.get_by_label("Name").fill(name)
    screen.page.get_by_label("Password").fill(password)
    screen.page.get_by_label("Password").press("Enter")


def test_a_wrong_password_is_told_plainly_and_the_right_one_leads_to_the_view_that_was_asked_for(
    look: Look, lived: Lived
) -> None:
    screen = look(None)
    screen.expects(401)
    screen.open(property=SITE, period="7d")
    sign_in(screen, "anna", "not her password")
    expect(screen.page.get_by_role("alert")).to_have_text("That name and password do not belong together.")
    sign_in(screen, "anna", PASSWORD)
    expect(screen.choice("Period")).to_have_value("7d")
    screen.settle()
    assert screen.page.title().startswith(SITE)
    screen.page.get_by_role("button", name="Sign out").click()
    expect(screen.page.get_by_label("Password")).to_be_visible()
    assert "collector" not in {cookie["name"] for cookie in screen.context.cookies()}
    screen.page.reload()
    expect(screen.page.get_by_label("Password")).to_be_visible()


def test_a_sign_in_link_signs_in_once_and_leaves_no_code_in_the_address(look: Look, lived: Lived) -> None:
    made = lived.stack.command("user", "link")
    link = made.stdout.strip()
    assert "#code=" in link, made
    first, second = look(None), look(None)
    first.page.goto(link)
    first.settle()
    expect(first.choice("Property")).to_be_visible()
    assert first.page.url == f"{lived.origin}/"
    second.expects(401)
    second.page.goto(link)
    expect(second.page.get_by_role("alert")).to_contain_text("That sign-in link was used, is too old")
    sign_in(second, "ada", PASSWORD)
    expect(second.choice("Property")).to_be_visible()


def test_a_session_that_ran_out_leads_to_the_sign_in_page_and_back_to_the_same_view(look: Look, lived: Lived) -> None:
    screen = look(None)
    screen.expects(401)
    screen.open(property=SITE, period="7d", filter="path==/")
    sign_in(screen, "anna", PASSWORD)
    expect(screen.choice("Period")).to_be_visible()
    screen.settle()
    run_out(lived, screen)
    screen.choice("Period").select_option("90d")
    expect(screen.page.get_by_role("alert")).to_contain_text("Your session has ended")
    sign_in(screen, "anna", PASSWORD)
    expect(screen.choice("Period")).to_have_value("90d")
    screen.settle()
    expect(screen.page.get_by_role("button", name="Remove filter: Page is /")).to_be_visible()


def test_a_viewer_is_offered_their_property_only_and_kindly_refused_another(look: Look, lived: Lived) -> None:
    screen = look("vera").open()
    assert offered(screen) == [SITE]
    screen.expects(400, 403, 404)
    screen.page.goto(f"{lived.origin}/?property={PRODUCT}")
    expect(screen.page.get_by_text("You may not see")).to_be_visible()
    assert PRODUCT not in screen.page.title()
    screen.page.get_by_role("list", name="Yours to see").get_by_role("button", name=SITE).click()
    expect(screen.choice("Property")).to_have_value(SITE)
    analyst = look("anna").open()
    assert sorted(offered(analyst)) == sorted([SITE, NEW_SITE, PRODUCT, NEW_PRODUCT])


def offered(screen: Screen) -> list[str]:
    return screen.choice("Property").locator("option").all_inner_texts()


def run_out(lived: Lived, screen: Screen) -> None:
    """Have every session end now, as if twelve hours were over; those of other tests, too."""
    path = lived.stack.data / "sessions.json"
    passes = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps([{**each, "expires": 1} for each in passes]))
    lived.cookies.clear()
