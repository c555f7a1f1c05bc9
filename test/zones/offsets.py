"""Prints how the clocks of all zones of the package tzdata run in some years: for each zone, the seconds that it is
ahead of UTC as the first of them begins, and after each change the second in which it happens and the new offset."""
import datetime, importlib.resources, json, sys, zoneinfo

zoneinfo.reset_tzpath(to=[])  # nothing of the system
first, last = int(sys.argv[1]), int(sys.argv[2])
begin = int(datetime.datetime(first, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
end = int(datetime.datetime(last + 1, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
STEP = 6 * 3600  # no clock is changed twice in so short a time


def changes(zone):
    offset = lambda t: int(datetime.datetime.fromtimestamp(t, zone).utcoffset().total_seconds())
    before, out = offset(begin), []
    out.append([begin, before])
    for t in range(begin + STEP, end + 1, STEP):
        after = offset(t)
        if after != before:
            low, high = t - STEP, t
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            out.append([high, after])
            before = after
    return out


names = importlib.resources.files("tzdata").joinpath("zones").read_text().split()
json.dump({"version": importlib.import_module("tzdata").IANA_VERSION, "zones": {n: changes(zoneinfo.ZoneInfo(n)) for n in names}}, sys.stdout)
