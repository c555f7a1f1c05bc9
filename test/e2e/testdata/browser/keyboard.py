"""Somebody without a mouse finds what failed, and runs it again."""

import seen


def run(browser, args):
    w = seen.Watched(browser, args["url"], args["key"])
    page = w.page
    w.open("/")
    page.keyboard.type(args["key"])  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector("text=needs you")

    def tab_to(text):
        for _ in range(60):
            page.keyboard.press("Tab")
            if text in page.evaluate("document.activeElement.textContent"):
                break
        else:
            raise AssertionError(f"Tab never comes to {text}")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", "one sees where one is"

    tab_to("Skip to the content")
    page.keyboard.press("Enter")
    tab_to("Report")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1 >> text=Report")
    tab_to("Run now")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status] >> text=It runs now")

    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] >> text=This list")
    w.check("the list of keys")
    page.keyboard.press("Escape")
    page.keyboard.type("gs")
    page.wait_for_url("**/schedules")
    page.keyboard.press("/")
    page.keyboard.type("gr?")
    assert page.input_value("input[type=search]") == "gr?", "keys are text in a field"
    page.keyboard.press("Enter")
    page.wait_for_selector("text=There is none that matches")
    page.click("footer >> text=Keyboard")
    page.uncheck("dialog input")
    page.click("dialog >> text=Close")
    page.keyboard.type("gr?")
    page.wait_for_timeout(300)
    assert "/schedules" in page.url and not page.query_selector("dialog[open]"), "the keys are off"
    return w.wrong


seen.main(run)
