"""Runs every case against each server with the version of the client that is
installed, plainly and with await, and prints one JSON object a line for each.

    judge [--only PART_OF_A_NAME] KEY AUDIENCE USER URL...
"""

import argparse
import concurrent.futures
import importlib
import inspect
import json
import pathlib
import time
import traceback

from case import CASES, Absent, Context, World, equal

GROUPS = sorted(p.stem for p in (pathlib.Path(__file__).parent / "groups").glob("[a-z]*.py"))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="")
    for name in ("key", "audience", "user"):
        p.add_argument(name)
    p.add_argument("urls", nargs="+")
    a = p.parse_args()
    groups = {}
    for name in GROUPS:
        begin = len(CASES)
        module = importlib.import_module("groups." + name)
        groups[name] = module, CASES[begin:]
    # Most of the time goes by while a case waits, so all go side by side.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ways = [pool.submit(judge, groups, World(url, a.key, a.audience), i, a.user, is_async, a.only)
                for i, url in enumerate(a.urls) for is_async in (False, True)]
    results = [w.result() for w in ways]
    for name, (module, _) in groups.items():
        say(group=name, title=module.TITLE)
        for same in zip(*(r[name] for r in results)):
            for line in same:
                say(group=name, **line)


def judge(groups, world, server, user, is_async, only):
    """What becomes of each case of each group."""
    found = {}
    for name, (module, cases) in groups.items():
        lines = found[name] = []
        for case in cases:
            if only in f"{case.op}: {case.name}":
                c = Context(world, case.op, f"{user}-{CASES.index(case)}-{int(is_async)}", is_async)
                lines.append(dict(server=server, op=case.op, case=case.name, offered=case.offered, **outcome(c, case.run)))
        c = Context(world, "", user, is_async)
        for owner in module.COVERED:
            lines.append(dict(server=server, op="", case=f"every operation of {owner} has a case", **outcome(c, covers(owner))))
    return found


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
    main()
