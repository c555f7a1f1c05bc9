"""What every page is watched for: errors, violations of the policy, other hosts, faults of access."""

import json
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

axe = Axe()
# A page that was asked for on purpose and refused is logged by the browser as an error.
REFUSED = "Failed to load resource: the server responded with a status of 4"


class Watched:
    """A page of a browser, and what went wrong on it."""

    def __init__(self, browser, url, key, **context):
        self.url, self.key, self.wrong = url, key, []
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: m.type == "error" and REFUSED not in m.text and self.note("console: " + m.text))
        self.page.on("pageerror", lambda e: self.note("script: " + str(e)))
        self.page.on("request", lambda r: r.url.startswith((url, "data:")) or self.note("another host: " + r.url))

    def note(self, what):
        self.wrong.append(f"{self.page.url}: {what}")

    def open(self, path):
        self.page.goto(self.url + path)

    def sign_in(self, path="/"):
        self.open(path)
        self.page.fill("#key", self.key)
        self.page.click("main button")
        self.page.wait_for_url(self.url + path)

    def check(self, name=""):
        """Looks for faults of access, and for content that is wider than the screen."""
        for v in axe.run(self.page).response["violations"]:
            nodes = "; ".join(n["html"][:150] for n in v["nodes"][:3])
            self.note(f"{name} axe {v['id']} ({v['impact']}): {v['help']}: {nodes}")
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            self.note(f"{name} is {wide} px wider than the screen")


def main(run):
    """Runs a script with a browser and the JSON of its first argument; exits with 1 if anything was wrong."""
    args = json.loads(sys.argv[1])
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=args["chromium"], args=["--no-sandbox"])
        wrong = run(browser, args)
        browser.close()
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)
