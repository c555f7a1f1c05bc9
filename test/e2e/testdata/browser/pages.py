"""Looks at every page, in both themes and widths, with and without scripts."""

import itertools
import pathlib

import seen


def run(browser, args):
    wrong = []
    for scheme, width in itertools.product(("light", "dark"), (1280, 390)):
        w = seen.Watched(browser, args["url"], args["key"], color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")
        w.open("/")
        w.check("sign-in")
        w.sign_in()
        for name, path in args["pages"].items():
            w.open(path)
            w.check(name)
            size = len(w.page.content().encode())
            if size > 250_000:
                w.note(f"{name} has {size} bytes")
            out = pathlib.Path(args["out"])
            out.mkdir(parents=True, exist_ok=True)
            w.page.screenshot(path=out / f"{args['state']}-{name}-{scheme}-{width}.png", full_page=True)
        wrong += w.wrong
        w.context.close()
    return wrong


seen.main(run)
