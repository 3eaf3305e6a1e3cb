"""Counts what the plugin `activity` counts, from the CSV file itself, with none of our code.

Prints one JSON object: collection -> key -> document, for `types` and `pairs`.
"""

import csv
import json
import re
import sys
from collections import defaultdict
from datetime import datetime, timezone

path, entity, id_field, type_field, time_field = sys.argv[1:]


def type_name(text):
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", text) if part]
    return "".join(part[0].upper() + part[1:] for part in parts)


def micros(text):
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    since = time - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


histories = defaultdict(list)
with open(path, newline="", encoding="utf-8-sig") as file:
    for row in csv.DictReader(file):
        histories[row[id_field]].append((micros(row[time_field]), type_name(row[type_field])))

types = defaultdict(int)
pairs = defaultdict(list)
for history in histories.values():
    history.sort(key=lambda event: event[0])
    for _, name in history:
        types[name] += 1
    for (before, first), (after, second) in zip(history, history[1:]):
        pairs[first, second].append(after - before)

documents = {
    "types": {
        f"{entity}/{name}": {"entity": entity, "type": name, "events": count}
        for name, count in types.items()
    },
    "pairs": {
        f"{entity}/{first}/{second}": {
            "entity": entity,
            "from": first,
            "to": second,
            "count": len(times),
            "mean_us": sum(times) // len(times),
            "longest_us": max(times),
            "total_us": sum(times),
        }
        for (first, second), times in pairs.items()
    },
}
json.dump(documents, sys.stdout)
