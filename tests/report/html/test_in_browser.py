"""Pages in a real browser: they fit, they can be used by everybody, and nothing in them runs that is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.report.html.conftest import PAGES, Pages

WIDTHS = (1280, 768, 320)


FOCUSED = """() => { const a = document.activeElement;
                     return a === document.body ? '' : `${a.tagName} ${a.className}` }"""


class Seen:
    """One page, and what it did that it should not."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))
        page.on("request", self._requested)

    def _requested(self, request: Any) -> None:
        if request.url.partition("#")[0] != self.page.url.partition("#")[0] and not request.is_navigation_request():
            self.complaints.append(f"asked for {request.url}")


@contextmanager
def opened(browser: Any, url: str, width: int = 1280, **options: Any) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)
    try:
        seen = Seen(context.new_page())
        seen.page.goto(url)
        yield seen
    finally:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_goes_wrong_and_nothing_is_wider_than_the_page(browser: Any, pages: Pages, name: str) -> None:
    with opened(browser, pages.url(name)) as seen:
        for width in WIDTHS:
            seen.page.set_viewport_size({"width": width, "height": 800})
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.complaints == []
        assert seen.page.evaluate("window.pwned") is None


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_barrier_in_light_and_dark(browser: Any, pages: Pages, name: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    # The policy of the page keeps axe out, too.
    with opened(browser, pages.url(name), 1024, bypass_csp=True) as seen:
        for details in seen.page.locator("details").all()[:3]:
            details.evaluate("element => element.open = true")
        for scheme in ("light", "dark"):
            seen.page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(seen.page).response["violations"]
            assert [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found] == []


def test_dark_is_dark_and_light_is_light(browser: Any, pages: Pages) -> None:
    def paper(scheme: str) -> int:
        with opened(browser, pages.url("different.html"), color_scheme=scheme) as seen:
            colour = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
            return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))

    assert paper("dark") < 150 < 700 < paper("light")


def _lit(page: Any) -> list[int]:
    return [int(at) for at in page.eval_on_selector_all("[data-at].lit", "all => all.map((each) => each.dataset.at)")]


def test_passing_over_a_field_marks_its_bytes_and_choosing_it_keeps_them_marked(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html")) as seen:
        page = seen.page
        field = page.locator("button.field", has_text="802.1ad").first
        first, last = int(field.get_attribute("data-first")), int(field.get_attribute("data-last"))
        field.hover()
        assert _lit(page) == list(range(first, last + 1))
        page.mouse.move(0, 0)
        assert _lit(page) == []
        field.click()
        page.mouse.move(0, 0)
        assert _lit(page) == list(range(first, last + 1))
        assert field.get_attribute("aria-pressed") == "true"
        field.click()
        page.locator("h1").click()
        assert _lit(page) == []


def test_passing_over_a_byte_marks_its_fields(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html")) as seen:
        seen.page.locator('[data-at="12"]').first.hover()
        lit = seen.page.locator("button.field.lit").all_inner_texts()
        assert len(lit) == 1 and "802.1Q (0x8100)" in lit[0]


def test_everything_that_can_be_used_is_reached_by_keyboard(browser: Any, pages: Pages) -> None:
    """One stop for all fields of a packet, arrows go on from there; each stop can be seen."""
    with opened(browser, pages.url("different.html")) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        stops, kinds = 1, set()
        while stops < 200:
            page.keyboard.press("Tab")
            kind = page.evaluate(FOCUSED)
            if not kind:
                break
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", kind
            kinds.add(kind)
            stops += 1
        assert {"SUMMARY ", "A ", "DIV scroll", "DIV code scroll", "BUTTON fit"} <= kinds
        assert sum(kind.startswith("BUTTON field") for kind in kinds) == 1


def test_arrows_go_from_field_to_field(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html")) as seen:
        page = seen.page
        page.locator("button.field").first.focus()
        assert _lit(page) == list(range(6))
        page.keyboard.press("ArrowRight")
        assert _lit(page) == list(range(6, 12))
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
        page.keyboard.press("Home")
        assert _lit(page) == list(range(6))


def test_a_step_leads_to_its_line(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html")) as seen:
        link = seen.page.locator(".steps a").first
        target = link.get_attribute("href")
        link.click()
        assert seen.page.evaluate("document.querySelector(':target').id") == target.removeprefix("#")


def test_a_drawing_can_be_made_to_fit(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html"), 600) as seen:
        page = seen.page
        inside = "figure.graph .scroll"
        wider = f"document.querySelector('{inside}').scrollWidth > document.querySelector('{inside}').clientWidth"
        assert page.evaluate(wider)
        page.locator("button.fit").first.click()
        assert not page.evaluate(wider)


@pytest.mark.parametrize("name", ["different.html", "equivalent.html", "index.html"])
def test_paper_shows_everything(browser: Any, pages: Pages, name: str) -> None:
    with opened(browser, pages.url(name), 794) as seen:
        seen.page.emulate_media(media="print")
        hidden = seen.page.evaluate(
            """() => [...document.querySelectorAll('.scroll, svg, main *')].filter((each) =>
                 ['auto', 'scroll', 'hidden'].includes(getComputedStyle(each).overflowY)
                 && !each.classList.contains('hidden') && each.scrollHeight > each.clientHeight + 2
                 && each.clientHeight > 2).map((each) => each.className)"""
        )
        assert hidden == []
        wide = "Math.max(0, ...[...document.querySelectorAll('svg')].map((each) => each.getBoundingClientRect().right))"
        assert seen.page.evaluate(wide) <= 794
        assert seen.page.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts_everything_is_there(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("different.html"), java_script_enabled=False) as seen:
        assert seen.page.locator("button.field").count() > 10
        assert seen.page.locator("svg").first.is_visible()
        assert seen.page.locator(".line.on").first.is_visible()


def test_an_index_is_sorted_and_searched(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("index.html")) as seen:
        page = seen.page
        shown = "[...document.querySelectorAll('tbody tr:not([hidden]) th')].map((each) => each.textContent)"
        every = page.evaluate(shown)
        page.locator("thead button", has_text="pair").click()
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("pair")
        first = page.evaluate(shown)
        page.locator("thead button", has_text="pair").click()
        assert page.evaluate(shown) == first[::-1] != every
        page.locator("#only").select_option("unknown")
        assert page.evaluate(shown) == ["unknown.html"]
        page.locator("#only").select_option("")
        page.locator("#find").fill("PARSERS html")
        assert page.evaluate(shown) == ["parsers.html"]
        assert page.locator("#count").inner_text() == f"1 of {len(every)}"


def test_seconds_are_sorted_as_numbers(browser: Any, pages: Pages) -> None:
    with opened(browser, pages.url("index.html")) as seen:
        seen.page.locator("thead button", has_text="seconds").click()
        keys = seen.page.evaluate("[...document.querySelectorAll('td.figure')].map((each) => Number(each.dataset.key))")
        assert keys == sorted(keys) and len(set(keys)) > 3
