"""Somebody makes an agent, puts it on a schedule, sees it fire, pauses it, and asks why there was nothing."""

import seen


def run(browser, args):
    w = seen.Watched(browser, args["url"], args["key"], java_script_enabled=args["scripts"])
    check = w.check if args["scripts"] else lambda: None  # axe is a script
    page = w.page
    w.sign_in()
    page.click("main >> text=agent")
    page.fill("#name", "Clerk")
    page.fill("#model", "m")
    page.fill("#instructions", "You sum up the news.")
    page.click("text=Create agent")
    page.click("text=New schedule")
    page.fill("#name", "Every two seconds")
    page.fill("#input", "Anything new?")
    page.select_option("[name='schedule.type']", "interval")
    page.fill("[name='schedule.interval_seconds']", "2")
    if args["scripts"]:
        page.wait_for_selector("#preview table")  # it comes by itself
    else:
        page.click("text=Show the next times")
    assert page.locator("#preview tbody tr").count() == 10
    page.click("text=Create schedule")
    if args["scripts"]:
        page.wait_for_selector("td >> text=ran", timeout=60_000)  # nobody reloads the page
    else:
        while not page.locator("td >> text=ran").count():
            page.reload()
    page.fill("[name=note]", "holidays")
    page.click("button >> text=Pause")
    page.wait_for_selector("text=“holidays”")
    check()
    page.locator("td >> text=run").first.click()
    page.wait_for_selector("text=Nothing new.")
    check()
    page.go_back()
    page.fill("input[type=datetime-local][name=at]", "2020-01-01T09:00")
    page.click("button >> text=Show")
    page.wait_for_selector("main .note >> text=was created after")
    return w.wrong


seen.main(run)
