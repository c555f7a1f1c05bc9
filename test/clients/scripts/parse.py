"""Reads answers, one JSON object a line with "op", "status" and "body", and lets
the models of the client that it would use for them parse each. It prints one
JSON object a line for each that does not parse, and at the end how many did.

    parse.py < ANSWERS
"""

import importlib
import inspect
import json
import re
import sys

try:
    import meetkai_mka1 as package
except ModuleNotFoundError:  # the oldest version has the short name only
    import mka1 as package

errors = importlib.import_module(package.__name__ + ".errors")
models = importlib.import_module(package.__name__ + ".models")
SPACES = {"models": models, "errors": errors}


def readers(sdk, op):
    """The model that an operation reads the body of each status with, from its
    source."""
    for part in op.split("."):
        sdk = getattr(sdk, part, None)
    found = {}
    if sdk is None:
        return found
    pattern = (
        r'match_response\(\s*http_res,\s*(\[[^\]]*\]|"[^"]*"),\s*"application/json"\s*\):'
        r"\s*(?:return|response_data =) unmarshal_json_response\(\s*(models|errors)\.(\w+),"
    )
    for statuses, space, name in re.findall(pattern, inspect.getsource(sdk)):
        for status in re.findall(r"\d+", statuses):
            found[int(status)] = getattr(SPACES[space], name)
    return found


def main():
    sdk, known, parsed = package.SDK(bearer_auth="none"), {}, 0
    for line in sys.stdin:
        answer = json.loads(line)
        op, status = answer["op"], answer["status"]
        if op not in known:
            known[op] = readers(sdk, op)
        model = known[op].get(status)
        if known[op] and model is None and status < 400:
            print(json.dumps({"op": op, "problem": f"the client expects no {status} here"}))
            continue
        try:
            if model is not None:
                model.model_validate(answer["body"])
            parsed += 1
        except Exception as e:
            print(json.dumps({"op": op, "problem": str(e)[:1000], "body": answer["body"]}))
    print(json.dumps({"parsed": parsed}))


main()
