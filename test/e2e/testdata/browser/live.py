"""An open page shows what happens; what somebody does on it stays; many changes leave no memory behind."""

import time

import seen

ROWS = "main tbody a[href^='/runs/']"

# Looks at the page anew, so many times; every tenth time, the schedule has fired.
LOOKS = """async ([looks, at, key]) => {
  const { refresh } = await import("/assets/live.js");
  for (let i = 0; i < looks; i++) {
    if (i % 10 === 0) await fetch("/api/v1" + at + "/trigger", { method: "POST", headers: { Authorization: "Bearer " + key } });
    await refresh();
  }
}"""


class Live:
    """A page that is kept up to date, and a schedule that fires when it is told to."""

    def __init__(self, browser, args):
        self.w = seen.Watched(browser, args["url"], args["key"])
        self.page, self.at, self.times, self.fired = self.w.page, args["schedule"], [], 0
        self.session = self.w.context.new_cdp_session(self.page)

    def fire(self, where):
        """Fires the schedule, and notes how long it takes until the page has another run."""
        answer = self.w.context.request.post(self.w.url + "/api/v1" + self.at + "/trigger", headers={"Authorization": "Bearer " + self.w.key})
        assert answer.ok, answer.text()
        began = time.monotonic()
        self.fired += 1
        self.page.wait_for_function("([s, n]) => document.querySelectorAll(s).length >= n", arg=[ROWS, self.fired], polling=20)
        self.times.append(("a fire on " + where, time.monotonic() - began))

    def stays(self):
        """What is typed, focus, scrolling and open details stay when the page of a schedule changes."""
        page = self.page
        self.w.open(self.at)
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        page.fill("[name=note]", "half a no")
        page.evaluate("scrollTo(0, 200)")
        held = "[scrollY, document.querySelectorAll('main details[open]').length]"
        before = page.evaluate(held)
        self.fire("a schedule")
        assert page.evaluate(held) == before, (page.evaluate(held), before)
        page.keyboard.type("te")
        assert page.input_value("[name=note]") == "half a note"
        page.focus("main a")
        self.fire("a schedule")
        assert page.evaluate("document.activeElement.matches('main a')")

    def reconnects(self):
        """A page that hears nothing says so, and goes on when it hears again."""
        self.page.route("**/changes?*", lambda r: r.fulfill(status=429))
        self.w.open("/")
        self.page.wait_for_selector("[data-lost]", state="visible")
        self.page.unroute("**/changes?*")
        self.page.wait_for_selector("[data-lost]", state="hidden")
        self.fire("a page that was cut off")

    def heap(self):
        self.session.send("HeapProfiler.collectGarbage")
        return self.session.send("Runtime.getHeapUsage")["usedSize"]

    def grows(self, looks):
        """Returns how many bytes the heap is larger after so many looks."""
        args = [self.at, self.w.key]
        self.page.evaluate(LOOKS, [100, *args])
        before = self.heap()
        self.page.evaluate(LOOKS, [looks, *args])
        return self.heap() - before


def run(browser, args):
    live = Live(browser, args)
    live.w.sign_in()
    for _ in range(3):
        live.fire("Today")
    live.w.check("today")
    live.stays()
    live.w.open("/runs")
    live.fire("Runs")
    live.reconnects()
    live.w.open("/")
    grown = live.grows(args["looks"])
    for what, took in live.times:
        print(f"{what:32} {took * 1000:6.0f} ms")
    print(f"{'heap after ' + str(args['looks']) + ' looks':32} {grown / 1e6:+6.2f} MB")
    if grown > 10e6:
        live.w.note(f"the heap has grown by {grown} bytes")
    return live.w.wrong


seen.main(run)
