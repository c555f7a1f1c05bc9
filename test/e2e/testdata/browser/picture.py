"""Takes the picture that the README opens with."""

import seen


def run(browser, args):
    w = seen.Watched(browser, args["url"], args["key"], viewport={"width": 1100, "height": 808})
    w.sign_in()
    w.page.wait_for_selector("svg.lane")
    w.page.screenshot(path=args["file"])
    return w.wrong


seen.main(run)
