"""Runs every case against a server with the version of the client that is
installed, and prints one JSON object a line for each."""

import importlib
import inspect
import json
import pathlib
import sys
import time
import traceback

from case import CASES, Absent, Context, World, equal

GROUPS = sorted(p.stem for p in (pathlib.Path(__file__).parent / "groups").glob("[a-z]*.py"))


def main(url, key, audience, user, only=""):
    world = World(url, key, audience)
    for group in GROUPS:
        begin = len(CASES)
        module = importlib.import_module("groups." + group)
        say(group=group, title=module.TITLE)
        for case in CASES[begin:]:
            for i, is_async in enumerate((False, True)):
                if only in f"{case.op}: {case.name}":
                    c = Context(world, case.op, f"{user}-{CASES.index(case)}-{i}", is_async)
                    say(group=group, op=case.op, case=case.name, offered=case.offered, **outcome(c, case.run))
        c = Context(world, "", user, False)
        for owner in module.COVERED:
            say(group=group, op="", case=f"every operation of {owner} has a case", **outcome(c, covers(owner)))


def outcome(c, run):
    begin, outcome, detail = time.monotonic(), "passed", ""
    try:
        if c.op:
            c.method(c.sdk(), c.op)
        run(c)
    except Absent as e:
        outcome, detail = "absent", str(e)
    except Exception as e:
        outcome, detail = "failed", describe(e)
    seconds = round(time.monotonic() - begin, 2)
    return dict(mode="async" if c.is_async else "plain", outcome=outcome, detail=detail, seconds=seconds)


def describe(e):
    frames = [f for f in traceback.extract_tb(e.__traceback__) if "/groups/" in f.filename]
    where = f"{pathlib.Path(frames[0].filename).name}:{frames[0].lineno}: " if frames else ""
    said = "; ".join(line.strip() for line in str(e).splitlines() if "For further information" not in line)
    body = getattr(e, "body", None)
    more = f"; body: {body}" if body else ""
    return f"{where}{type(e).__name__}: {said}{more}"[:1200]


def covers(owner):
    """Every public method of a part of the client has a case."""

    def run(c):
        part = c.method(c.sdk(), owner)
        ops = {
            f"{owner}.{name}"
            for name, f in inspect.getmembers(type(part), inspect.isfunction)
            if not name.startswith("_") and not name.endswith("_async") and name + "_async" in dir(part)
        }
        ops.discard(f"{owner}.do_request")
        equal(ops - {case.op for case in CASES}, set(), "set of operations without a case")

    return run


def say(**line):
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
