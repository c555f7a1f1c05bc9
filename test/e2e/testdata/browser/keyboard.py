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
    return w.wrong


seen.main(run)
