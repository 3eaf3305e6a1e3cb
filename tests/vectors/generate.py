#!/usr/bin/env python3
"""Writes the test vectors of the wire format, version 1.

This is not the implementation under test: blocks are encoded by PyPI's `dag-cbor`, CIDs by `multiformats`, digests by
`blake3`. The small reader in the middle of this file follows DESIGN section 3 on its own; no vector is written before
it was read back and gave exactly the verdict that the vector claims.

    python generate.py            writes the files beside this script
    python generate.py --check    writes nothing; fails if a file would change

Nothing here is random and no clock is read, so that the files come out the same on every run.
"""

import datetime
import json
import pathlib
import re
import struct
import sys
import uuid

import dag_cbor
from blake3 import blake3
from multiformats import CID, multibase

HERE = pathlib.Path(__file__).resolve().parent
ORIGIN = (
    "tests/vectors/generate.py with Python, dag-cbor 0.3.3, multiformats 0.3.1.post4 and blake3 1.0.11; "
    "no code of this workspace took part"
)
MAX_INTEGER = 2**53 - 1
MAX_MICROS = 253402300799999999
MAX_VALUE = 4096
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
TYPE = re.compile(r"[A-Z][A-Za-z0-9]{0,127}\Z")
META = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
FIELDS = ("organization", "unit", "domain", "entity", "id", "operation")
DEFAULT_TEMPLATE = {"subject": "{organization}.{unit}.{domain}.{entity}.{id}.{operation}", "constants": {}}


# --- Primitives -------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """A verdict; the code is what the vectors name."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def verdict(run):
    """The code with which `run` refuses, or None."""
    try:
        run()
    except Refused as refused:
        return refused.code
    return None


def digest_of(data):
    return blake3(data).digest()


def cid_of_digest(digest):
    return CID("base32", 1, "dag-cbor", b"\x1e\x20" + digest)


def cid_of(block):
    return cid_of_digest(digest_of(block))


def made_up_cid(label):
    """A CID of nothing that exists: the trusted head before a history that starts late."""
    return cid_of_digest(digest_of(label.encode()))


def uuid7(micros, label):
    raw = bytearray((micros // 1000).to_bytes(6, "big") + digest_of(label.encode())[:10])
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()


def time_text(micros):
    seconds, fraction = divmod(micros, 1_000_000)
    days, second = divmod(seconds, 86400)
    day = datetime.date.fromordinal(EPOCH_DAY + days)
    return f"{day.year:04}-{day.month:02}-{day.day:02}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{fraction:06}Z"


def micros_of(text):
    return parse_time(text)[0]


LENIENT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(Z|([+-])(\d{2}):(\d{2}))?\Z", re.ASCII
)


def parse_time(text):
    """An input time: (microseconds, whether the offset was missing)."""
    if re.match(r"\d{5,}-", text, re.ASCII):  # RFC 3339 has no such year, but what is meant is plain.
        raise Refused("time-after-9999")
    found = LENIENT.match(text)
    if not found:
        raise Refused("time-invalid")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if year == 0:
        raise Refused("time-before-1970")
    if not 1 <= month <= 12:
        raise Refused("time-invalid")
    try:
        days = datetime.date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        raise Refused("time-invalid") from None
    if hour > 23 or minute > 59 or second > 60:
        raise Refused("time-invalid")
    offset = 0
    if found[9]:
        if int(found[10]) > 23 or int(found[11]) > 59:
            raise Refused("time-invalid")
        offset = (int(found[10]) * 60 + int(found[11])) * (-60 if found[9] == "-" else 60)
    if second == 60:
        raise Refused("time-leap-second")
    fraction = int(((found[7] or "") + "000000")[:6])
    micros = (days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction
    if micros < 0:
        raise Refused("time-before-1970")
    if micros > MAX_MICROS:
        raise Refused("time-after-9999")
    return micros, found[8] is None


# --- Subjects ---------------------------------------------------------------------------------------------------------


def check_subject(text):
    if not all(TOKEN.match(token) for token in text.split(".")):
        raise Refused("subject-invalid")


def check_template(template, use="publish"):
    tokens = template["subject"].split(".")
    bound = []
    for token in tokens:
        if token.startswith("{") and token.endswith("}") and token[1:-1] in FIELDS:
            bound.append(token[1:-1])
        elif not TOKEN.match(token):
            raise Refused("template-invalid")
    constants = template["constants"]
    if len(set(bound)) != len(bound) or set(bound) & set(constants) or set(constants) - set(FIELDS):
        raise Refused("template-invalid")
    if not all(TOKEN.match(value) for value in constants.values()):
        raise Refused("template-invalid")
    if use == "store" and (tokens[-2:] != ["{id}", "{operation}"] or set(bound) | set(constants) != set(FIELDS)):
        raise Refused("template-not-storable")


def parse_subject(template, subject):
    check_subject(subject)
    pattern, tokens = template["subject"].split("."), subject.split(".")
    fields = dict(template["constants"])
    if len(pattern) != len(tokens):
        raise Refused("subject-mismatch")
    for part, token in zip(pattern, tokens):
        if part.startswith("{"):
            fields[part[1:-1]] = token
        elif part != token:
            raise Refused("subject-mismatch")
    return fields


def build_subject(template, fields):
    parts = (fields[part[1:-1]] if part.startswith("{") else part for part in template["subject"].split("."))
    return ".".join(parts)


def check_filter(text):
    tokens = text.split(".")
    for place, token in enumerate(tokens):
        if token == "*" or token == ">" and place == len(tokens) - 1:
            continue
        if not TOKEN.match(token):
            raise Refused("filter-invalid")


def filter_matches(text, subject):
    wanted, tokens = text.split("."), subject.split(".")
    for place, token in enumerate(wanted):
        if token == ">":
            return len(tokens) > place
        if place >= len(tokens) or token not in ("*", tokens[place]):
            return False
    return len(wanted) == len(tokens)


def words_of(name):
    words, start = [], 0
    for place in range(1, len(name)):
        before, here, after = name[place - 1], name[place], name[place + 1 : place + 2]
        if here.isupper() and (not before.isupper() or after.islower()):
            words.append(name[start:place])
            start = place
    return words + [name[start:]]


def operation_of(kind, name, entity):
    if not TYPE.match(name):
        raise Refused("event-type-invalid")
    words = words_of(name)
    plain = re.sub("[-_]", "", entity).lower()
    for count in range(1, len(words)):
        part = words[:count] if kind == "event" else words[-count:]
        if "".join(part).lower() == plain:
            words = words[count:] if kind == "event" else words[:-count]
            break
    token = "-".join(words).lower()
    if len(token) > 128:
        raise Refused("operation-too-long")
    return token


# --- A reader of canonical DAG-CBOR that keeps links as bytes -----------------------------------------------------------


class Link(bytes):
    """The bytes of a CID under tag 42, without the zero in front."""


def read_cbor(data):
    value, rest = read_item(data)
    if rest:
        raise Refused("block-not-canonical")
    return value


def take(data, count):
    if len(data) < count:
        raise Refused("block-not-canonical")
    return data[:count], data[count:]


def read_item(data):
    head, data = take(data, 1)
    major, info = head[0] >> 5, head[0] & 31
    if major == 7:
        if info in (20, 21, 22):
            return {20: False, 21: True, 22: None}[info], data
        if info == 27:
            raw, data = take(data, 8)
            number = struct.unpack(">d", raw)[0]
            if number - number == 0:
                return number, data
        raise Refused("block-not-canonical")
    if info > 27:
        raise Refused("block-not-canonical")
    if info >= 24:
        raw, data = take(data, 1 << info - 24)
        argument = int.from_bytes(raw, "big")
        if argument < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
            raise Refused("block-not-canonical")
    else:
        argument = info
    if major == 0:
        return argument, data
    if major == 1:
        return -1 - argument, data
    if major == 2:
        return take(data, argument)
    if major == 3:
        raw, data = take(data, argument)
        try:
            return raw.decode(), data
        except UnicodeDecodeError:
            raise Refused("block-not-canonical") from None
    if major == 4:
        items = []
        for _ in range(argument):
            item, data = read_item(data)
            items.append(item)
        return items, data
    if major == 5:
        entries, last = {}, None
        for _ in range(argument):
            key, data = read_item(data)
            if not isinstance(key, str):
                raise Refused("block-not-canonical")
            order = (len(key.encode()), key.encode())
            if last is not None and order <= last:
                raise Refused("block-not-canonical")
            last = order
            entries[key], data = read_item(data)
        return entries, data
    content, data = read_item(data)
    if argument != 42 or type(content) is not bytes or content[:1] != b"\0":
        raise Refused("block-not-canonical")
    return Link(content[1:]), data


BLOCK_KEYS = {
    "v", "ns", "agg", "key", "seq", "prev", "id", "cor", "cau", "type", "tv", "op", "time", "src", "ct", "meta", "data",
}


def good_value(text):
    """Non-empty, no Cc, no white space (Unicode White_Space) at the ends, at most 4 KiB."""
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    return bool(text) and not control and text == text.strip() and len(text.encode()) <= MAX_VALUE


def is_v7(raw):
    return raw[6] >> 4 == 7 and raw[8] >> 6 == 2


def check_block(block):
    """Reads one block; gives its map."""
    entries = read_cbor(block)

    def must(condition):
        if not condition:
            raise Refused("block-invalid")

    must(type(entries) is dict and set(entries) == BLOCK_KEYS)
    text = {key: entries[key] for key in ("ns", "agg", "key", "type", "op", "src", "ct")}
    must(all(type(value) is str for value in text.values()))
    whole = {key: entries[key] for key in ("v", "seq", "tv", "time")}
    must(all(type(value) is int for value in whole.values()))
    must(whole["v"] == 1)
    must(1 <= whole["seq"] <= MAX_INTEGER and 1 <= whole["tv"] <= MAX_INTEGER and 0 <= whole["time"] <= MAX_MICROS)
    must(text["ns"].count(".") == 2 and all(TOKEN.match(token) for token in text["ns"].split(".")))
    must(all(TOKEN.match(text[key]) for key in ("agg", "key", "op")))
    must(TYPE.match(text["type"]) and good_value(text["src"]) and good_value(text["ct"]))
    ids = [entries["id"], entries["cor"]] + ([] if entries["cau"] is None else [entries["cau"]])
    must(all(type(raw) is bytes and len(raw) == 16 for raw in ids) and is_v7(entries["id"]))
    prev = entries["prev"]
    if whole["seq"] == 1:
        must(prev is None)
    else:
        must(type(prev) is Link and len(prev) == 36 and prev[:4] == b"\x01\x71\x1e\x20")
    meta = entries["meta"]
    must(type(meta) is dict and all(META.match(name) for name in meta))
    must(all(type(value) is str and good_value(value) for value in meta.values()))
    must(len({name.lower() for name in meta}) == len(meta))
    must(type(entries["data"]) is bytes)
    return entries


# --- A reader of messages ---------------------------------------------------------------------------------------------

REQUIRED = (
    "CIM-Event-Id", "CIM-Correlation-Id", "CIM-Event-Type", "CIM-Timestamp", "CIM-Source", "Nats-Msg-Id", "Content-Type",
    "CIM-Schema-Version", "CIM-Aggregate-Version", "CIM-Cid",
)
KNOWN = REQUIRED + ("CIM-Causation-Id", "CIM-Previous-Cid")


def read_uuid(text):
    if not re.match(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", text):
        raise Refused("header-spelling")
    return uuid.UUID(text).bytes


def read_integer(text):
    if not re.match(r"[1-9][0-9]{0,15}\Z", text) or int(text) > MAX_INTEGER:
        raise Refused("header-spelling")
    return int(text)


def read_cid(text):
    try:
        raw = multibase.decode(text) if text.startswith("b") else b""
    except (ValueError, KeyError):
        raw = b""
    if len(raw) != 36 or raw[:4] != b"\x01\x71\x1e\x20" or multibase.encode(raw, "base32") != text:
        raise Refused("header-spelling")
    return raw


def read_stored(template, subject, headers, body, verify=True):
    """Reads one stored event from the wire; gives its block's map and the CID it names."""
    seen, meta = {}, {}
    for name, value in headers:
        if name == "CIM-Block":
            raise Refused("block-version")
        if name.startswith("CIM-Meta-"):
            if not META.match(name[9:]):
                raise Refused("metadata-name")
            if name[9:] in meta:
                raise Refused("header-repeated")
            if name[9:].lower() in (other.lower() for other in meta):
                raise Refused("metadata-repeated")
            meta[name[9:]] = value
        elif name in KNOWN:
            if name in seen:
                raise Refused("header-repeated")
            seen[name] = value
        elif name.lower().startswith("cim-"):
            raise Refused("header-unknown")
    if not all(good_value(value) for value in [*seen.values(), *meta.values()]):
        raise Refused("header-value")
    if any(name not in seen for name in REQUIRED):
        raise Refused("header-missing")
    event_id = read_uuid(seen["CIM-Event-Id"])
    if not is_v7(event_id):
        raise Refused("header-spelling")
    correlation = read_uuid(seen["CIM-Correlation-Id"])
    causation = read_uuid(seen["CIM-Causation-Id"]) if "CIM-Causation-Id" in seen else None
    if not TYPE.match(seen["CIM-Event-Type"]):
        raise Refused("event-type-invalid")
    try:
        micros = micros_of(seen["CIM-Timestamp"])
    except Refused:
        raise Refused("header-spelling") from None
    if time_text(micros) != seen["CIM-Timestamp"]:
        raise Refused("header-spelling")
    schema, version = read_integer(seen["CIM-Schema-Version"]), read_integer(seen["CIM-Aggregate-Version"])
    cid = read_cid(seen["CIM-Cid"])
    previous = read_cid(seen["CIM-Previous-Cid"]) if "CIM-Previous-Cid" in seen else None
    if version == 1 and previous is not None:
        raise Refused("header-unexpected")
    if version > 1 and previous is None:
        raise Refused("header-missing")
    if seen["Nats-Msg-Id"] != seen["CIM-Event-Id"]:
        raise Refused("message-id-mismatch")
    fields = parse_subject(template, subject)
    entries = {
        "v": 1,
        "ns": ".".join(fields[name] for name in FIELDS[:3]),
        "agg": fields["entity"],
        "key": fields["id"],
        "seq": version,
        "prev": None if previous is None else CID.decode(previous),
        "id": event_id,
        "cor": correlation,
        "cau": causation,
        "type": seen["CIM-Event-Type"],
        "tv": schema,
        "op": fields["operation"],
        "time": micros,
        "src": seen["CIM-Source"],
        "ct": seen["Content-Type"],
        "meta": meta,
        "data": body,
    }
    if verify and bytes(cid_of(dag_cbor.encode(entries))) != cid:
        raise Refused("cid-mismatch")
    return entries, cid


def aggregate_of(entries):
    return entries["ns"], entries["agg"], entries["key"]


def check_chain(messages, aggregate, head):
    """The place and code of the first bad event, or None."""
    version, link = (0, None) if head is None else (head["version"], bytes(CID.decode(head["cid"])))
    for place, message in enumerate(messages):
        body = bytes.fromhex(message["body_hex"])
        entries, cid = read_stored(DEFAULT_TEMPLATE, message["subject"], message["headers"], body, verify=False)
        if bytes(cid_of(dag_cbor.encode(entries))) != cid:
            return place, "wrong-cid"
        if aggregate_of(entries) != aggregate:
            return place, "wrong-aggregate"
        if entries["seq"] <= version:
            return place, "duplicate"
        if entries["seq"] > version + 1:
            return place, "gap"
        if (None if entries["prev"] is None else bytes(entries["prev"])) != link:
            return place, "broken-link"
        version, link = entries["seq"], cid
    return None


# --- Making messages ----------------------------------------------------------------------------------------------------


def make(
    name, aggregate, version, previous, *, time, type, operation=None, id=None, correlation=None, causation=None,
    source="keys-service", content_type="application/json", schema=1, meta=(), body=b"{}", extra=(), first=(),
    template=DEFAULT_TEMPLATE, starts_from=None, note=None,
):
    """One event as it stands in events.json."""
    namespace, entity, key = aggregate
    micros = time if isinstance(time, int) else micros_of(time)
    operation = operation or operation_of("event", type, entity)
    event_id = id or uuid7(micros, f"event {name}")
    correlation = correlation or event_id
    entries = {
        "v": 1, "ns": namespace, "agg": entity, "key": key, "seq": version,
        "prev": None if previous is None else CID.decode(previous),
        "id": uuid.UUID(event_id).bytes, "cor": uuid.UUID(correlation).bytes,
        "cau": None if causation is None else uuid.UUID(causation).bytes,
        "type": type, "tv": schema, "op": operation, "time": micros, "src": source, "ct": content_type,
        "meta": dict(meta), "data": body,
    }
    block = dag_cbor.encode(entries)
    cid = str(cid_of(block))
    headers = [list(pair) for pair in first]
    headers += [["CIM-Event-Id", event_id], ["CIM-Correlation-Id", correlation]]
    if causation is not None:
        headers.append(["CIM-Causation-Id", causation])
    headers += [
        ["CIM-Event-Type", type], ["CIM-Timestamp", time_text(micros)], ["CIM-Source", source],
        ["Nats-Msg-Id", event_id], ["Content-Type", content_type], ["CIM-Schema-Version", str(schema)],
        ["CIM-Aggregate-Version", str(version)], ["CIM-Cid", cid],
    ]
    if previous is not None:
        headers.append(["CIM-Previous-Cid", previous])
    headers += [[f"CIM-Meta-{key_}", value] for key_, value in meta]
    headers += [list(pair) for pair in extra]
    fields = dict(zip(FIELDS, [*namespace.split("."), entity, key, operation]))
    event = {
        "name": name,
        "aggregate": {"namespace": namespace, "entity": entity, "id": key},
        "version": version,
        "previous": previous,
        "subject": build_subject(template, fields),
        "headers": headers,
        "body_hex": body.hex(),
        "block_hex": block.hex(),
        "cid": cid,
    }
    if starts_from is not None:
        event["starts_from"] = starts_from
    if note is not None:
        event["note"] = note
    prove_event(event, template)
    return event


def prove_event(event, template):
    check_template(template, "store")
    body = bytes.fromhex(event["body_hex"])
    block = bytes.fromhex(event["block_hex"])
    entries, cid = read_stored(template, event["subject"], event["headers"], body)
    assert dag_cbor.encode(entries) == block and dag_cbor.decode(block) == entries
    again = check_block(block)
    order = list(again)
    assert order == sorted(order, key=lambda key: (len(key), key)) and order == (
        "v ct id ns op tv agg cau cor key seq src data meta prev time type".split()
    )
    assert CID.decode(cid).encode("base32") == event["cid"] == str(cid_of(block))
    assert event["cid"].startswith("bafyr4i") and len(event["cid"]) == 59


def message(event):
    return {key: json.loads(json.dumps(event[key])) for key in ("subject", "headers", "body_hex")}


# --- events.json --------------------------------------------------------------------------------------------------------

KEY = ("cowboyai.security.keys", "key", "01934f4a-7c1e-7d3a-9b52-0c4f1e2d3a4b")
OTHER_KEY = ("cowboyai.security.keys", "key", "01934f4a-7c1e-7d3a-9b52-0c4f1e2d3a4c")
CASE = ("local.main.events", "case", "case-10011")
BLOB = ("acme.lab.storage", "blob", "sizes")
SCHEMA = ("acme.lab.storage", "schema", "numbers")
TEXT = ("acme.lab.storage", "text", "unicode")
LONG = ("O" * 128, "u-" * 64, "d_" * 64)
EXTREME = (".".join(LONG), "E9" * 64, "i" * 127 + "0")
SHORT = ("a.B.0", "-", "_")


def make_events():
    events = []

    def add(*args, **kwargs):
        events.append(make(*args, **kwargs))
        return events[-1]

    def header(event, name):
        return dict((n, v) for n, v in event["headers"])[name]

    command = "01934f4a-7c00-7aaa-8bbb-0123456789ab"
    a1 = add(
        "key v1: caused by a command, correlated with it", KEY, 1, None, time="2024-11-21T09:30:00.000001Z",
        type="KeyGenerated", correlation=command, causation=command,
        body=b'{"algorithm":"ed25519","bits":256}',
        extra=[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
               ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")],
    )
    a2 = add(
        "key v2: metadata in an order that is neither canonical nor alphabetical", KEY, 2, a1["cid"],
        time="2024-11-21T09:30:00.999999Z", type="KeyNamed", correlation=command, causation=header(a1, "CIM-Event-Id"),
        meta=[("Tenant", "blue"), ("b", "2"), ("Region", "eu-west-1"), ("aa", "3"), ("Z", "1"), ("actor", "ada"),
              ("A-Longer-Name", "4")],
        body=b'{"name":"root key"}',
    )
    a3 = add(
        "key v3: metadata in front of the other headers, mixed case, names that JavaScript objects own or reorder",
        KEY, 3, a2["cid"], time="2024-11-21T09:31:00Z", type="KeyRotated", schema=2, correlation=command,
        causation=header(a2, "CIM-Event-Id"),
        meta=[("constructor", "x"), ("toString", "y"), ("10", "ten"), ("2", "two"), ("01", "one"), ("camelCase", "c"),
              ("UPPER", "U"), ("X-Y", "xy"), ("-", "dash")],
        body=b'{\n  "rotated" : true,\t"n": 1.0e0 }\n',
        first=[("X-First", "a foreign header in front")],
    )
    a3["headers"].sort(key=lambda pair: not pair[0].startswith("CIM-Meta-"))
    prove_event(a3, DEFAULT_TEMPLATE)
    a4 = add(
        "key v4: no causation, a correlation of version 4, a content type with a parameter", KEY, 4, a3["cid"],
        time="2024-11-21T09:30:30Z", type="KeyExported", correlation="9b2f4c1e-0d5a-4f6b-8a7c-112233445566",
        content_type="text/plain; charset=UTF-8", body="schlüssel\r\n".encode(),
        note="The time is before that of version 3: times need not rise.",
    )
    add(
        "key v5: foreign headers are ignored, also repeated, empty or near to our names", KEY, 5, a4["cid"],
        time="2024-11-21T10:00:00Z", type="KeyRevoked", correlation=command, causation=header(a4, "CIM-Event-Id"),
        body=b"null",
        extra=[("X-Foreign", "1"), ("X-Foreign", "2"), ("X-Empty", ""), ("CIMetric", "not ours"), ("CIM", "not ours"),
               ("X-CIM-Foo", "not ours"), ("content-type", "text/plain"), ("nats-msg-id", "another name"),
               ("Nats-Expected-Last-Subject-Sequence", "17")],
    )
    b1 = add(
        "another key v1: a root, its correlation is its own id", OTHER_KEY, 1, None, time="2024-11-21T09:30:00.000001Z",
        type="KeyGenerated", body=b'{"algorithm":"ed25519","bits":256}',
    )
    add(
        "another key v2", OTHER_KEY, 2, b1["cid"], time="2024-11-21T09:30:00.000002Z", type="KeyNamed",
        correlation=header(b1, "CIM-Event-Id"), causation=header(b1, "CIM-Event-Id"), body=b'{"name":"second"}',
    )
    c1 = add(
        "case v1: default namespace", CASE, 1, None, time="2011-10-11 13:45:40.276000+02:00",
        type="ConfirmationOfReceipt", source="import", body=b'{"resource":"Resource21"}',
    )
    c2 = add(
        "case v2: a type with digits", CASE, 2, c1["cid"], time="2011-10-12 08:26:25.398+02:00",
        type="T02CheckConfirmationOfReceipt", source="import", body=b'{"resource":"Resource10"}',
        correlation="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    )
    add(
        "case v3: an operation that is not the type's default, with upper case and underscore", CASE, 3, c2["cid"],
        time="2011-11-24 15:36:51.302+01:00", type="T06DetermineNecessityOfStopAdvice", operation="T06_determined",
        source="import", body=b"[]",
    )
    previous, contents = None, [
        ("empty body", b""),
        ("body of 23 bytes", b"x" * 23),
        ("body of 24 bytes", b"x" * 24),
        ("body of 255 bytes", b"x" * 255),
        ("body of 256 bytes", b"x" * 256),
        ("body of 65535 bytes", b"cim " * 16383 + b"cim"),
        ("body of 65536 bytes", b"cim " * 16384),
        ("body that is not UTF-8", b"\xff\xfe\x00\x80\xc3\x28\xed\xa0\x80"),
        ("body of every byte", bytes(range(256))),
        ("body with a byte order mark and line ends", b"\xef\xbb\xbf{}\r\n\n\x00"),
    ]
    for version, (what, body) in enumerate(contents, 1):
        utf8 = version in (1, 10)
        event = add(
            f"blob v{version}: {what}", BLOB, version, previous, time=1_700_000_000_000_000 + version, type="BlobWritten",
            source="storage", content_type="application/json" if utf8 else "application/octet-stream", body=body,
        )
        previous = event["cid"]
    previous = None
    for version, schema in enumerate((23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, MAX_INTEGER), 1):
        event = add(
            f"schema v{version}: schema version {schema}", SCHEMA, version, previous, time=1_700_000_001_000_000 + version,
            type="SchemaChanged", source="storage", schema=schema, body=b'{"schema":%d}' % schema,
        )
        previous = event["cid"]
    for top in (24, 256, 65536, 2**32, MAX_INTEGER):
        aggregate = ("acme.lab.storage", "counter", f"at-{top}")
        head = {"version": top - 2, "cid": str(made_up_cid(f"{aggregate[2]} version {top - 2}"))}
        lower = add(
            f"counter v{top - 1}: from a trusted head", aggregate, top - 1, head["cid"], time=1_700_000_002_000_000,
            type="CounterRaised", source="storage", starts_from=head, body=b"%d" % (top - 1),
        )
        add(
            f"counter v{top}", aggregate, top, lower["cid"], time=1_700_000_002_000_001, type="CounterRaised",
            source="storage", body=b"%d" % top,
        )
    t1 = add(
        "text v1: source and metadata beyond ASCII, composed and decomposed", TEXT, 1, None, time="2024-02-29T23:59:59.5Z",
        type="TextWritten", source="münchen-\u6771\u4eac-\U0001f511",
        meta=[("Composed", "\u00e9"), ("Decomposed", "e\u0301"), ("Astral", "\U0001f600\U0010ffff"), ("Hebrew", "\u05e9\u05dc\u05d5\u05dd"),
              ("Private", "\ue000"), ("Replacement", "\ufffd")],
        body='{"text":"e\u0301"}'.encode(),
    )
    t2 = add(
        "text v2: white space inside values, and characters at the ends that are not White_Space", TEXT, 2, t1["cid"],
        time="2024-02-29T23:59:59.500001Z", type="TextWritten", source="two  words",
        meta=[("No-Break", "a\u00a0b"), ("Line", "a\u2028b"), ("Zero-Width", "\u200bx\u200b"), ("Mark", "\ufeffx\ufeff"),
              ("Soft", "\u00adx"), ("Punctuation", "\"'\\,;:={}[]<>%&"), ("Number", "01.50"), ("Null", "null")],
        body=b'"\\u00e9"', content_type='Application/JSON;profile="A b"',
    )
    t3 = add(
        "text v3: values of 23, 24, 255, 256 and 4096 bytes, names of 1, 23, 24 and 64 characters", TEXT, 3, t2["cid"],
        time="2024-02-29T23:59:59.500002Z", type="TextWritten", source="s" * 24,
        meta=[("n" * 64, "v" * 23), ("n" * 24, "v" * 24), ("n" * 23, "v" * 255), ("n", "v" * 256),
              ("Most", "\u00e9" * 2048)],
    )
    add(
        "text v4: 24 metadata names", TEXT, 4, t3["cid"], time="2024-02-29T23:59:59.500003Z", type="TextWritten",
        meta=[(f"N{number}", str(number)) for number in range(23, -1, -1)],
    )
    x1 = add(
        "extreme v1: tokens of 128 characters, a type of 128, the first time", EXTREME, 1, None, time=0,
        type="T" + "t" * 127, operation="op-" * 42 + "_9", correlation="ffffffff-ffff-ffff-ffff-ffffffffffff",
        causation="00000000-0000-0000-0000-000000000000", source="s",
        note="Correlation and causation are any UUID in the canonical text, the nil and the max UUID too.",
    )
    add(
        "extreme v2: the last time", EXTREME, 2, x1["cid"], time=MAX_MICROS, type="T" + "9" * 127, operation="0",
        source="S" * 4096, content_type="c",
    )
    s1 = add(
        "short v1: shortest names", SHORT, 1, None, time="1970-01-01T00:00:00.000001Z", type="A", operation="_",
        source="0", meta=[("-", "-")], body=b"0", content_type="0",
    )
    add(
        "short v2: the event id's milliseconds disagree with the time", SHORT, 2, s1["cid"], time="2038-01-19T03:14:08Z",
        type="Z9", id="ffffffff-ffff-7fff-bfff-ffffffffffff", source="0",
        note="Readers do not compare id and time.",
    )
    assert len({event["name"] for event in events}) == len({event["cid"] for event in events}) == len(events)
    return events


def make_others(events):
    """The same events under other templates: the block does not know the layout."""
    layouts = [
        ({"subject": "infrastructure.compute.{id}.{operation}",
          "constants": {"organization": "cowboyai", "unit": "security", "domain": "keys", "entity": "key"}}, events[0:3]),
        ({"subject": "legacy.v1.{entity}.{id}.{operation}",
          "constants": {"organization": "cowboyai", "unit": "security", "domain": "keys"}}, events[0:2] + events[5:6]),
        ({"subject": "{domain}.{entity}.in.{unit}.{organization}.{id}.{operation}", "constants": {}}, events[5:8]),
        ({"subject": "{id}.{operation}",
          "constants": {"organization": "local", "unit": "main", "domain": "events", "entity": "case"}}, events[7:10]),
    ]
    others = []
    for template, chosen in layouts:
        rows = []
        for event in chosen:
            fields = parse_subject(DEFAULT_TEMPLATE, event["subject"])
            row = {**event, "same_as": event["name"], "subject": build_subject(template, fields)}
            prove_event(row, template)
            rows.append(row)
        others.append({"template": template, "events": rows})
    return others


# --- operations.json ------------------------------------------------------------------------------------------------------

LONGEST = "Ab" * 43  # 86 characters and 42 dashes make 128.
OPERATIONS = [
    # The five that DESIGN names.
    ("event", "T06Determine", "case", "t06-determine"),
    ("event", "XMLHttpRequest", "page", "xml-http-request"),
    ("event", "KeyGenerated", "key", "generated"),
    ("event", "YubiKeyProvisioned", "yubikey", "provisioned"),
    ("command", "CreateOperator", "operator", "create"),
    # Where a name is split.
    ("event", "A", "x", "a"),
    ("event", "AB", "x", "ab"),
    ("event", "Ab", "x", "ab"),
    ("event", "ABc", "x", "a-bc"),
    ("event", "AbC", "x", "ab-c"),
    ("event", "AbCD", "x", "ab-cd"),
    ("event", "ABCDe", "x", "abc-de"),
    ("event", "AAAA", "x", "aaaa"),
    ("event", "A2", "x", "a2"),
    ("event", "A2b", "x", "a2b"),
    ("event", "A2B", "x", "a2-b"),
    ("event", "AB2C", "x", "ab2-c"),
    ("event", "Z9Z9", "x", "z9-z9"),
    ("event", "Aa0bC", "x", "aa0b-c"),
    ("event", "HTTPServer2Go", "x", "http-server2-go"),
    ("event", "T06HTTPDone", "case", "t06-http-done"),
    ("event", "HTML5Parsed", "page", "html5-parsed"),
    ("event", "UserIDAssigned", "account", "user-id-assigned"),
    ("event", "UserID", "account", "user-id"),
    ("event", "IPv4Assigned", "host", "i-pv4-assigned"),
    ("event", "OAuth2TokenIssued", "session", "o-auth2-token-issued"),
    ("event", "ConfirmationOfReceipt", "case", "confirmation-of-receipt"),
    ("event", "T06DetermineNecessityOfStopAdvice", "case", "t06-determine-necessity-of-stop-advice"),
    # The entity in front of an event.
    ("event", "HTTPServer2Go", "http", "server2-go"),
    ("event", "HTTPServer2Go", "httpserver", "http-server2-go"),
    ("event", "HTTPServer2Go", "http-server2", "go"),
    ("event", "HTTPServer2Go", "HTTP_Server2", "go"),
    ("event", "OAuth2TokenIssued", "oauth2-token", "issued"),
    ("event", "YubiKeyProvisioned", "yubi-key", "provisioned"),
    ("event", "YubiKeyProvisioned", "yubi_key", "provisioned"),
    ("event", "YubiKeyProvisioned", "YUBIKEY", "provisioned"),
    ("event", "YubiKeyProvisioned", "-yubi--key_", "provisioned"),
    ("event", "YubiKeyProvisioned", "yubi", "key-provisioned"),
    ("event", "YubiKeyProvisioned", "yubik", "yubi-key-provisioned"),
    ("event", "YubiKeyProvisioned", "key", "yubi-key-provisioned"),
    ("event", "PersonV2Renamed", "person", "v2-renamed"),
    ("event", "PersonV2Renamed", "personv2", "renamed"),
    ("event", "S3BucketCreated", "s3", "bucket-created"),
    ("event", "KeyKeyGenerated", "key", "key-generated"),
    ("event", "Key", "key", "key"),
    ("event", "YubiKey", "yubi-key", "yubi-key"),
    ("event", "A", "a", "a"),
    ("event", "KeysGenerated", "key", "keys-generated"),
    ("event", "KeygenStarted", "key", "keygen-started"),
    ("event", "GeneratedKey", "key", "generated-key"),
    ("event", "KeyGenerated", "-", "key-generated"),
    ("event", "KeyGenerated", "keygenerated", "key-generated"),
    # The entity at the end of a command.
    ("command", "CreateSigningKey", "signing-key", "create"),
    ("command", "CreateSigningKey", "key", "create-signing"),
    ("command", "CreateKeyKey", "key", "create-key"),
    ("command", "RotateKey", "account", "rotate-key"),
    ("command", "DeleteHTTPServer", "httpserver", "delete"),
    ("command", "RetireYubiKey", "YubiKey", "retire"),
    ("command", "CreateAPIKey", "api_key", "create"),
    ("command", "CreateOperators", "operator", "create-operators"),
    ("command", "OperatorCreate", "operator", "operator-create"),
    ("command", "RenameOperatorNow", "operator", "rename-operator-now"),
    ("command", "Operator", "operator", "operator"),
    ("command", "OperatorOperator", "operator", "operator"),
    # Length, judged after the entity was dropped.
    ("event", "A" + "b" * 127, "x", "a" + "b" * 127),
    ("event", LONGEST, "x", "-".join(["ab"] * 43)),
    ("event", LONGEST + "c", "x", None),
    ("event", "Ab" * 64, "x", None),
    ("event", "Key" + LONGEST, "key", "-".join(["ab"] * 43)),
    ("event", "Key" + LONGEST, "x", None),
    ("event", LONGEST + "Key", "key", None),
    ("command", LONGEST + "Key", "key", "-".join(["ab"] * 43)),
    ("command", "Key" + LONGEST, "key", None),
]


def make_operations():
    rows = []
    for kind, name, entity, expected in OPERATIONS:
        row = {"kind": kind, "type": name, "entity": entity}
        if expected is None:
            assert verdict(lambda: operation_of(kind, name, entity)) == "operation-too-long", row
            row["error"] = "operation-too-long"
        else:
            assert operation_of(kind, name, entity) == expected, (row, operation_of(kind, name, entity))
            row["operation"] = expected
        rows.append(row)
    return rows


# --- refused.json ---------------------------------------------------------------------------------------------------------


class Edit:
    """A message to spoil: each method gives the message itself, so that edits stand in a row."""

    def __init__(self, event, template=None):
        self.row = message(event)
        self.block = bytes.fromhex(event["block_hex"])
        self.template = template

    def set(self, name, value):
        for pair in self.row["headers"]:
            if pair[0] == name:
                pair[1] = value
                return self
        raise KeyError(name)

    def both(self, value):
        return self.set("CIM-Event-Id", value).set("Nats-Msg-Id", value)

    def rename(self, name, other):
        next(pair for pair in self.row["headers"] if pair[0] == name)[0] = other
        return self

    def drop(self, name):
        self.row["headers"] = [pair for pair in self.row["headers"] if pair[0] != name]
        return self

    def add(self, name, value):
        self.row["headers"].append([name, value])
        return self

    def subject(self, text):
        self.row["subject"] = text
        return self

    def body(self, data):
        self.row["body_hex"] = data.hex()
        return self

    def seal(self, **changes):
        """Gives the message the CID of the block with `changes`, so that the CID is not what is wrong."""
        entries = {**dag_cbor.decode(self.block), **changes}
        return self.set("CIM-Cid", str(cid_of(dag_cbor.encode(entries))))


def make_header_rows(events):
    one, two, noted = events[0], events[1], events[2]
    names = dict((name, value) for name, value in two["headers"])
    event_id, correlation = names["CIM-Event-Id"], names["CIM-Correlation-Id"]
    causation, previous, cid = names["CIM-Causation-Id"], names["CIM-Previous-Cid"], names["CIM-Cid"]
    rows = []

    def refuse(code, why, edit):
        template = edit.template or DEFAULT_TEMPLATE
        body = bytes.fromhex(edit.row["body_hex"])
        found = verdict(lambda: read_stored(template, edit.row["subject"], edit.row["headers"], body))
        assert found == code, (why, code, found)
        row = {"kind": "headers", "code": code, "why": why, **edit.row}
        if edit.template:
            row["template"] = edit.template
        rows.append(row)

    def v1():
        return Edit(one)

    def v2():
        return Edit(two)

    # Other spellings of a UUID.
    for name, value in (("CIM-Event-Id", event_id), ("CIM-Correlation-Id", correlation), ("CIM-Causation-Id", causation)):
        spellings = [
            (value.upper(), "upper case"), (re.sub("[a-f]", lambda letter: letter[0].upper(), value, count=1), "with one letter in upper case"),
            ("{" + value + "}", "in braces"), ("urn:uuid:" + value, "as a URN"), (value.replace("-", ""), "without hyphens"),
            (value.replace("-", "", 1), "one hyphen missing"), (value[:-1], "one digit short"), (value + "0", "one digit more"),
            ("g" + value[1:], "a digit that is not hexadecimal"), (value.replace("-", "_"), "underscores for hyphens"),
        ]
        for text, how in spellings:
            assert text != value
            edit = v2().both(text) if name == "CIM-Event-Id" else v2().set(name, text)
            refuse("header-spelling", f"{name} {how}", edit)
    for place, digit, how in ((14, "4", "version 4"), (14, "8", "version 8"), (14, "0", "version 0"),
                              (19, "0", "variant of the NCS"), (19, "c", "variant of Microsoft"), (19, "e", "reserved variant")):
        text = event_id[:place] + digit + event_id[place + 1 :]
        refuse("header-spelling", f"CIM-Event-Id is not a UUID v7: {how}", v2().both(text).seal(id=uuid.UUID(text).bytes))
    nil = "00000000-0000-0000-0000-000000000000"
    refuse("header-spelling", "CIM-Event-Id is the nil UUID", v2().both(nil).seal(id=bytes(16)))

    # Other spellings of a time; all of one moment, and the CID is that moment's.
    moment = names["CIM-Timestamp"]
    assert moment == "2024-11-21T09:30:00.999999Z"
    for text, how in (
        ("2024-11-21T09:30:00.999999+00:00", "with the offset +00:00"), ("2024-11-21T09:30:00.999999-00:00", "with the offset -00:00"),
        ("2024-11-21T10:30:00.999999+01:00", "with another offset"), ("2024-11-21T09:30:00.999999", "without Z"),
        ("2024-11-21T09:30:00.999999z", "with a lower-case z"), ("2024-11-21t09:30:00.999999Z", "with a lower-case t"),
        ("2024-11-21 09:30:00.999999Z", "with a space"), ("2024-11-21T09:30:00.999999000Z", "with nine fractional digits"),
        ("2024-11-21T09:30:00,999999Z", "with a comma"), ("20241121T093000.999999Z", "in basic format"),
        ("+2024-11-21T09:30:00.999999Z", "with a signed year"), ("002024-11-21T09:30:00.999999Z", "with a year of six digits"),
        ("2024-326T09:30:00.999999Z", "as an ordinal date"), ("2024-W47-4T09:30:00.999999Z", "as a week date"),
        ("1732181400999999", "as microseconds"), ("2024-11-21T09:30:00.99999\uff19Z", "with a full-width digit"),
        ("2024-11-21T09:30:00.999999Z[UTC]", "with a zone name"),
    ):
        refuse("header-spelling", f"CIM-Timestamp {how}", v2().set("CIM-Timestamp", text))
    for text, how in (("2024-11-21T09:31:00.000Z", "with three fractional digits"), ("2024-11-21T09:31:00Z", "without a fraction"),
                      ("2024-11-21T09:31:00.Z", "with an empty fraction"), ("2024-11-21T09:31Z", "without seconds")):
        refuse("header-spelling", f"CIM-Timestamp {how}", Edit(noted).set("CIM-Timestamp", text))
    for text, how in (
        ("1969-12-31T23:59:59.999999Z", "before 1970"), ("0000-01-01T00:00:00.000000Z", "in the year 0"),
        ("10000-01-01T00:00:00.000000Z", "after 9999"), ("2024-13-01T00:00:00.000000Z", "month 13"), ("2024-00-01T00:00:00.000000Z", "month 0"),
        ("2024-01-00T00:00:00.000000Z", "day 0"), ("2024-02-30T00:00:00.000000Z", "30 February"),
        ("2023-02-29T00:00:00.000000Z", "29 February of a common year"), ("2100-02-29T00:00:00.000000Z", "29 February 2100"),
        ("2016-12-31T23:59:60.000000Z", "a leap second"), ("2024-11-21T24:00:00.000000Z", "hour 24"),
        ("2024-11-21T09:60:00.000000Z", "minute 60"), ("yesterday", "no time at all"),
    ):
        refuse("header-spelling", f"CIM-Timestamp {how}", v2().set("CIM-Timestamp", text))

    # Other spellings of an integer.
    for name, good in (("CIM-Aggregate-Version", "2"), ("CIM-Schema-Version", "1")):
        for text, how in (
            ("0" + good, "with a leading zero"), ("+" + good, "with a sign"), ("-" + good, "negative"), (good + ".0", "with a fraction"),
            (good + "e0", "with an exponent"), ("0x" + good, "hexadecimal"), (good + "_0", "with an underscore"), ("0", "zero"),
            ("00", "two zeros"), ("-0", "minus zero"), (chr(0xFF10 + int(good)), "a full-width digit"), (chr(0x660 + int(good)), "an Arabic-Indic digit"),
            (str(2**53), "2^53"), (str(2**64 + int(good)), "2^64 more than the value"), ("9" * 40, "forty digits"), ("1,000", "with a comma"),
            ("two", "a word"),
        ):
            refuse("header-spelling", f"{name} {how}", v2().set(name, text))
        refuse("header-value", f"{name} after a space", v2().set(name, " " + good))

    # Other spellings of a CID.
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for name, value in (("CIM-Cid", cid), ("CIM-Previous-Cid", previous)):
        link = CID.decode(value)
        raw = bytes(link)
        loose = value[:-1] + alphabet[alphabet.index(value[-1]) | 1]
        assert loose != value and alphabet.index(value[-1]) & 3 == 0
        looser = value[:-1] + alphabet[alphabet.index(value[-1]) | 2]
        for text, how in (
            (value.upper(), "in upper case with prefix B"), ("b" + value[1:].upper(), "in upper case with prefix b"),
            (value[:20] + value[20:].upper(), "in mixed case"), (link.encode("base58btc"), "in base58btc"),
            (link.encode("base16"), "in base16"), (link.encode("base36"), "in base36"), (link.encode("base64url"), "in base64url"),
            (link.encode("base64"), "in base64"), (link.encode("base32hex"), "in base32hex"),
            (link.encode("base32pad"), "in padded base32"), (value + "======", "with padding behind"), (value[1:], "without the prefix"),
            ("ipfs://" + value, "as a URL"), ("/ipfs/" + value, "as a path"),
            (str(CID("base32", 1, "dag-json", link.digest)), "with codec dag-json"), (str(CID("base32", 1, "raw", link.digest)), "with codec raw"),
            (str(CID("base32", 1, "dag-cbor", b"\x12\x20" + raw[4:])), "with hash SHA2-256"),
            (multibase.encode(b"\x01\x71\x1e\x14" + raw[4:24], "base32"), "with a digest of 20 bytes"),
            (multibase.encode(b"\x01\x71\x1e\x20" + raw[4:24], "base32"), "with 20 of 32 bytes"),
            (multibase.encode(raw + b"\x00", "base32"), "with a byte behind"), (multibase.encode(b"\x00" + raw, "base32"), "with a zero in front"),
            (multibase.encode(b"\x01\xf1\x00\x1e\x20" + raw[4:], "base32"), "with a codec number that is not minimal"),
            (multibase.encode(b"\x02" + raw[1:], "base32"), "of version 2"),
            (multibase.encode(raw[2:], "base58btc")[1:], "of version 0"), (loose, "with a bit set behind the last byte"),
            (looser, "with the other bit set behind the last byte"), (value[:-1], "one character short"), (value[:-8], "five bytes short"),
            (value + "a", "one character more"), (value[:30] + "1" + value[31:], "with a character outside the alphabet"),
            (value[:30] + " " + value[30:], "with a space inside"), ("b", "the prefix alone"), ("null", "the word null"),
        ):
            refuse("header-spelling", f"{name} {how}", v2().set(name, text))

    # Names.
    for name in sorted(REQUIRED):
        refuse("header-missing", f"{name} is missing", v2().drop(name))
    refuse("header-missing", "CIM-Previous-Cid is missing at version 2", v2().drop("CIM-Previous-Cid").seal(prev=None))
    refuse("header-unexpected", "CIM-Previous-Cid is present at version 1",
           v1().add("CIM-Previous-Cid", previous).seal(prev=CID.decode(previous)))
    refuse("header-unexpected", "CIM-Previous-Cid is present at version 1, the CID is that without it", v1().add("CIM-Previous-Cid", previous))
    for name in [n for n in KNOWN if n.startswith("CIM-")]:
        refuse("header-unknown", f"{name} in lower case", v2().rename(name, name.lower()))
    refuse("header-unknown", "CIM-Event-ID instead of CIM-Event-Id", v2().rename("CIM-Event-Id", "CIM-Event-ID"))
    refuse("header-unknown", "a second name in another case beside the good one", v2().add("Cim-Source", names["CIM-Source"]))
    refuse("header-missing", "content-type instead of Content-Type", v2().rename("Content-Type", "content-type"))
    refuse("header-missing", "nats-msg-id instead of Nats-Msg-Id", v2().rename("Nats-Msg-Id", "nats-msg-id"))
    for name in ("CIM-Foo", "cim-foo", "CIM-", "cIm-x", "CIM-Meta", "cim-meta-tenant", "CIM-META-Tenant", "CIM-Metadata", "CIM-MetaTenant",
                 "CIM-Traceparent", "CIM-Content-Type", "cim-block"):
        refuse("header-unknown", f"unknown header {name}", v2().add(name, "1"))
    for value in ("1", "2", "x"):
        refuse("block-version", f"CIM-Block {value}: not version 1", v2().add("CIM-Block", value))
    for name in KNOWN:
        refuse("header-repeated", f"{name} twice with one value", v2().add(name, names[name]))
    for name, other in (("CIM-Event-Id", causation), ("CIM-Correlation-Id", event_id), ("CIM-Cid", previous), ("CIM-Aggregate-Version", "3"),
                        ("CIM-Source", "another"), ("Content-Type", "text/plain"), ("Nats-Msg-Id", causation), ("CIM-Event-Type", "KeyRevoked")):
        refuse("header-repeated", f"{name} twice with two values", v2().add(name, other))

    # Metadata.
    refuse("header-repeated", "CIM-Meta-Tenant twice with one value", v2().add("CIM-Meta-Tenant", "blue"))
    refuse("header-repeated", "CIM-Meta-Tenant twice with two values", v2().add("CIM-Meta-Tenant", "red"))
    refuse("metadata-repeated", "CIM-Meta-Tenant and CIM-Meta-tenant", v2().add("CIM-Meta-tenant", "blue"))
    refuse("metadata-repeated", "CIM-Meta-Tenant and CIM-Meta-TENANT, the CID covers both",
           v2().add("CIM-Meta-TENANT", "red").seal(meta={**dag_cbor.decode(v2().block)["meta"], "TENANT": "red"}))
    for name, how in (("", "empty"), ("a_b", "with an underscore"), ("a.b", "with a dot"), ("a b", "with a space"), ("a:b", "with a colon"),
                      ("na\u00efve", "beyond ASCII"), ("n" * 65, "of 65 characters"), ("\u0662", "a digit beyond ASCII"), ("a/b", "with a slash")):
        refuse("metadata-name", f"metadata name {how}", v2().add("CIM-Meta-" + name, "1"))

    # Values.
    for name in KNOWN:
        refuse("header-value", f"{name} is empty", v2().set(name, ""))
    refuse("header-value", "metadata value is empty", v2().set("CIM-Meta-Tenant", ""))
    for text, how in (
        ("a\tb", "with a tab"), ("a\nb", "with a line feed"), ("a\rb", "with a carriage return"), ("a\x00b", "with U+0000"),
        ("a\x1bb", "with U+001B"), ("a\x7fb", "with U+007F"), ("a\x80b", "with U+0080"), ("a\x85b", "with U+0085"), ("a\x9fb", "with U+009F"),
        (" a", "after a space"), ("a ", "before a space"), ("a\u00a0", "before U+00A0"), ("\u00a0a", "after U+00A0"), ("\u3000a", "after U+3000"),
        ("a\u2003", "before U+2003"), ("a\u2028", "before U+2028"), ("\u1680a", "after U+1680"), ("a\u202f", "before U+202F"), (" ", "of one space"),
        ("\u2009", "of one U+2009"), ("v" * 4097, "of 4097 bytes"), ("\u00e9" * 2048 + "v", "of 2049 characters in 4097 bytes"),
    ):
        refuse("header-value", f"CIM-Source {how}", v2().set("CIM-Source", text).seal(src=text))
        short = len(text) < 9
        if short:
            meta = {**dag_cbor.decode(v2().block)["meta"], "Tenant": text}
            refuse("header-value", f"metadata value {how}", v2().set("CIM-Meta-Tenant", text).seal(meta=meta))
    for text, how in ((" text/plain", "after a space"), ("text/plain ", "before a space"), ("text/\tplain", "with a tab"), ("t" * 4097, "of 4097 bytes")):
        refuse("header-value", f"Content-Type {how}", v2().set("Content-Type", text).seal(ct=text))
    for name in ("CIM-Event-Id", "CIM-Timestamp", "CIM-Cid", "CIM-Previous-Cid", "CIM-Event-Type", "CIM-Causation-Id", "Nats-Msg-Id"):
        refuse("header-value", f"{name} before a space", v2().set(name, names[name] + " "))

    # Types and message ids.
    for text, how in (
        ("keyNamed", "begins with a small letter"), ("Key-Named", "with a dash"), ("Key_Named", "with an underscore"), ("Key Named", "with a space"),
        ("Key.Named", "with a dot"), ("9KeyNamed", "begins with a digit"), ("\u00c4nderung", "beyond ASCII at the front"), ("Stra\u00dfe", "beyond ASCII inside"),
        ("K" + "n" * 128, "of 129 characters"),
    ):
        refuse("event-type-invalid", f"event type {how}", v2().set("CIM-Event-Type", text).seal(type=text))
    refuse("message-id-mismatch", "Nats-Msg-Id is another id", v2().set("Nats-Msg-Id", causation))
    refuse("message-id-mismatch", "Nats-Msg-Id is the event id in upper case", v2().set("Nats-Msg-Id", event_id.upper()))
    refuse("message-id-mismatch", "Nats-Msg-Id is no UUID", v2().set("Nats-Msg-Id", "order-17"))

    # Subjects.
    tokens = two["subject"].split(".")
    org, unit, domain, entity, key, operation = tokens

    def at(place, text):
        return ".".join(tokens[:place] + [text] + tokens[place + 1 :])

    for text, how in (
        (".".join(tokens[:5]), "five tokens"), (".".join(tokens[1:]), "without the organization"), (two["subject"] + ".more", "seven tokens"),
        ("events." + two["subject"], "a literal in front"), (operation, "one token"),
    ):
        refuse("subject-mismatch", f"subject does not fit the template: {how}", v2().subject(text))
    for text, how in (
        ("", "empty"), (two["subject"] + ".", "a dot at the end"), ("." + two["subject"], "a dot in front"), (at(3, ""), "an empty token"),
        (at(4, "*"), "a wildcard"), (at(5, ">"), "a wildcard for the operation"), (at(4, "a b"), "a space"), (at(4, "a\tb"), "a tab"), (at(4, "a*"), "a star inside"),
        (at(4, "stra\u00dfe"), "a character beyond ASCII"), (at(4, "a/b"), "a slash"), (at(4, "a:b"), "a colon"), (at(0, "$JS"), "a dollar"),
        (at(4, "k" * 129), "a token of 129 characters"), (at(5, "named\n"), "a line feed at the end"), (at(4, "{id}"), "braces"),
    ):
        refuse("subject-invalid", f"subject has {how}" if text else "subject is empty", v2().subject(text))
    compute = {"subject": "infrastructure.compute.{id}.{operation}",
               "constants": {"organization": org, "unit": unit, "domain": domain, "entity": entity}}
    for text, how in ((f"infrastructure.storage.{key}.{operation}", "another literal"), (f"Infrastructure.compute.{key}.{operation}", "a literal in another case"),
                      (two["subject"], "the default layout"), (f"infrastructure.compute.{key}", "one token short")):
        refuse("subject-mismatch", f"subject does not fit the template: {how}", Edit(two, compute).subject(text))

    # Content that is not what the CID says.
    refuse("cid-mismatch", "one byte of the body changed", v2().body(b'{"name":"root kez"}'))
    refuse("cid-mismatch", "body without its last byte", v2().body(b'{"name":"root key"'))
    refuse("cid-mismatch", "body empty", v2().body(b""))
    refuse("cid-mismatch", "body is the same JSON with a space", v2().body(b'{"name": "root key"}'))
    for name, text in (
        ("CIM-Event-Type", "KeyRenamed"), ("CIM-Timestamp", "2024-11-21T09:30:00.999998Z"), ("CIM-Source", "Keys-service"), ("CIM-Schema-Version", "2"),
        ("CIM-Aggregate-Version", "3"), ("CIM-Correlation-Id", event_id), ("CIM-Causation-Id", event_id), ("CIM-Previous-Cid", cid),
        ("CIM-Cid", previous), ("Content-Type", "Application/json"), ("CIM-Meta-Tenant", "red"),
    ):
        refuse("cid-mismatch", f"{name} changed", v2().set(name, text))
    refuse("cid-mismatch", "event id and message id changed", v2().both(event_id[:-1] + ("0" if event_id[-1] != "0" else "1")))
    refuse("cid-mismatch", "causation taken away", v2().drop("CIM-Causation-Id"))
    refuse("cid-mismatch", "causation added", Edit(events[5]).add("CIM-Causation-Id", causation))
    refuse("cid-mismatch", "metadata taken away", v2().drop("CIM-Meta-Tenant"))
    refuse("cid-mismatch", "metadata added", v2().add("CIM-Meta-More", "1"))
    refuse("cid-mismatch", "metadata name in another case", v2().rename("CIM-Meta-Tenant", "CIM-Meta-tenant"))
    text_event = next(event for event in events if event["name"].startswith("text v1"))
    refuse("cid-mismatch", "metadata value composed instead of decomposed", Edit(text_event).set("CIM-Meta-Decomposed", "\u00e9"))
    for place, what in enumerate(("organization", "unit", "domain", "entity", "aggregate id", "operation")):
        refuse("cid-mismatch", f"subject names another {what}", v2().subject(at(place, tokens[place] + "x")))
    refuse("cid-mismatch", "organization in another case", v2().subject(at(0, org.upper())))
    refuse("cid-mismatch", "the constants name another entity",
           Edit(two, {**compute, "constants": {**compute["constants"], "entity": "operator"}}).subject(f"infrastructure.compute.{key}.{operation}"))
    return rows


# --- Raw CBOR, to write what an encoder will not ---


def head(major, argument, width=None):
    if width is None:
        width = 0 if argument < 24 else 1 if argument < 1 << 8 else 2 if argument < 1 << 16 else 4 if argument < 1 << 32 else 8
    if width == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + argument.to_bytes(width, "big")


def raw_text(text, width=None):
    data = text if isinstance(text, bytes) else text.encode()
    return head(3, len(data), width) + data


def raw_bytes(data, width=None):
    return head(2, len(data), width) + data


def raw_map(pairs, width=None):
    return head(5, len(pairs), width) + b"".join(key + value for key, value in pairs)


def raw_link(raw):
    return head(6, 42) + raw_bytes(b"\0" + raw)


def make_block_rows(events):
    good = bytes.fromhex(events[1]["block_hex"])  # Version 2 with causation and metadata.
    first = bytes.fromhex(events[0]["block_hex"])  # Version 1.
    entries = dag_cbor.decode(good)
    link = bytes(entries["prev"])
    pairs = [(raw_text(key), dag_cbor.encode(entries[key])) for key in sorted(entries, key=lambda key: (len(key), key))]
    assert raw_map(pairs) == good
    rows = []

    def refuse(code, why, block):
        found = verdict(lambda: check_block(block))
        assert found == code and block not in (good, first), (why, code, found)
        # PyPI's decoder is asked too; it also parses CIDs, and a link that holds none is no fault of the CBOR.
        try:
            canonical = dag_cbor.encode(dag_cbor.decode(block)) == block
        except (dag_cbor.decoding.CBORDecodingError, IndexError, OverflowError):
            canonical = False
        except (ValueError, KeyError):
            assert "CID" in why, why
            canonical = code == "block-invalid"
        assert canonical == (code == "block-invalid"), (why, code, canonical)
        rows.append({"kind": "block", "code": code, "why": why, "block_hex": block.hex()})

    def with_raw(**changes):
        """The block with raw bytes instead of some values."""
        return raw_map([(key, changes.get(key[1:].decode(), value)) for key, value in pairs])

    def with_(**changes):
        return dag_cbor.encode({**entries, **changes})

    def with_link(raw):
        return with_raw(prev=raw_link(raw))

    def bad(why, block):
        refuse("block-not-canonical", why, block)

    def wrong(why, block):
        refuse("block-invalid", why, block)

    # Order and shape of maps.
    bad("first two keys swapped", raw_map([pairs[1], pairs[0], *pairs[2:]]))
    bad("last two keys swapped", raw_map([*pairs[:-2], pairs[-1], pairs[-2]]))
    bad("keys in alphabetical order", raw_map(sorted(pairs, key=lambda pair: pair[0][1:])))
    bad("keys in reverse order", raw_map(pairs[::-1]))
    meta = sorted(entries["meta"].items())
    raw_meta = [(raw_text(name), raw_text(value)) for name, value in meta]
    assert meta != sorted(meta, key=lambda item: (len(item[0]), item[0]))
    bad("metadata in alphabetical order", with_raw(meta=raw_map(raw_meta)))
    bad("a key twice with one value", raw_map([pairs[0], *pairs]))
    bad("a key twice with two values", raw_map([pairs[0], (pairs[0][0], b"\x02"), *pairs[1:]]))
    bad("a metadata name twice", with_raw(meta=raw_map([raw_meta[0], raw_meta[0]])))
    bad("a key that is bytes", raw_map([(raw_bytes(b"v"), b"\x01"), *pairs[1:]]))
    bad("a key that is an integer", raw_map([(b"\x01", b"\x01"), *pairs]))
    bad("map length in one byte more", raw_map(pairs, 1))
    bad("map length in eight bytes more", raw_map(pairs, 8))
    bad("a map one longer than its entries", head(5, 18) + good[1:])
    bad("a map one shorter than its entries", head(5, 16) + good[1:])
    bad("map of indefinite length", b"\xbf" + good[1:] + b"\xff")
    bad("metadata map of indefinite length", with_raw(meta=b"\xbf" + dag_cbor.encode(entries["meta"])[1:] + b"\xff"))
    # Integers, lengths, strings.
    bad("v in two bytes", with_raw(v=head(0, 1, 1)))
    bad("seq in three bytes", with_raw(seq=head(0, 2, 2)))
    bad("tv in five bytes", with_raw(tv=head(0, 1, 4)))
    bad("tv in nine bytes", with_raw(tv=head(0, 1, 8)))
    bad("tv 23 in two bytes", with_raw(tv=head(0, 23, 1)))
    bad("tv 255 in three bytes", with_raw(tv=head(0, 255, 2)))
    bad("tv 65535 in five bytes", with_raw(tv=head(0, 65535, 4)))
    bad("tv 2^32 - 1 in nine bytes", with_raw(tv=head(0, 2**32 - 1, 8)))
    bad("length of a key in two bytes", raw_map([(raw_text("v", 1), b"\x01"), *pairs[1:]]))
    bad("length of a text in two bytes", with_raw(agg=raw_text("key", 1)))
    bad("length of the body in three bytes", with_raw(data=raw_bytes(entries["data"], 2)))
    bad("length of an id in nine bytes", with_raw(id=raw_bytes(entries["id"], 8)))
    bad("text of indefinite length", with_raw(agg=b"\x7f" + raw_text("ke") + raw_text("y") + b"\xff"))
    bad("bytes of indefinite length", with_raw(data=b"\x5f" + raw_bytes(entries["data"]) + b"\xff"))
    bad("text that is not UTF-8", with_raw(src=raw_text(b"keys\xff")))
    bad("text with a surrogate", with_raw(src=raw_text(b"\xed\xa0\x80")))
    bad("text with an overlong form", with_raw(src=raw_text(b"\xc1\xa1")))
    bad("metadata value that is not UTF-8", with_raw(meta=raw_map([(raw_text("a"), raw_text(b"\xc3"))])))
    bad("metadata name that is not UTF-8", with_raw(meta=raw_map([(raw_text(b"\xff"), raw_text("a"))])))
    # Tags, floats, simple values.
    bad("tag 43 on the link", with_raw(prev=head(6, 43) + raw_bytes(b"\0" + link)))
    bad("tag 0 on the time", with_raw(time=head(6, 0) + raw_text("2024-11-21T09:30:00.999999Z")))
    bad("tag 1 on the time", with_raw(time=head(6, 1) + dag_cbor.encode(entries["time"])))
    bad("tag 37 on an id", with_raw(id=head(6, 37) + raw_bytes(entries["id"])))
    bad("tag 2 on a version", with_raw(seq=head(6, 2) + raw_bytes(b"\x02")))
    bad("tag 55799 in front", b"\xd9\xd9\xf7" + good)
    bad("tag 42 in three bytes", with_raw(prev=head(6, 42, 2) + raw_bytes(b"\0" + link)))
    bad("tag 42 twice", with_raw(prev=head(6, 42) + raw_link(link)))
    bad("link without the zero in front", with_raw(prev=head(6, 42) + raw_bytes(link)))
    bad("link with a one in front", with_raw(prev=head(6, 42) + raw_bytes(b"\x01" + link)))
    bad("link of no bytes", with_raw(prev=head(6, 42) + raw_bytes(b"")))
    bad("link as text", with_raw(prev=head(6, 42) + raw_text(events[1]["previous"])))
    bad("time as a float of 32 bits", with_raw(time=b"\xfa" + struct.pack(">f", 1.5)))
    bad("time as a float of 16 bits", with_raw(time=b"\xf9\x3e\x00"))
    bad("time is not a number", with_raw(time=b"\xfb\x7f\xf8" + bytes(6)))
    bad("time is infinite", with_raw(time=b"\xfb\x7f\xf0" + bytes(6)))
    bad("causation undefined", with_raw(cau=b"\xf7"))
    bad("causation null in two bytes", with_raw(cau=b"\xf8\x16"))
    bad("causation a simple value", with_raw(cau=b"\xe0"))
    bad("a reserved head", with_raw(cau=b"\x1c"))
    bad("a break without a beginning", with_raw(cau=b"\xff"))
    # The ends.
    bad("no bytes", b"")
    bad("cut before the last byte", good[:-1])
    bad("cut in the middle", good[: len(good) // 2])
    bad("the map's head alone", good[:1])
    bad("a zero byte behind", good + b"\0")
    bad("a null behind", good + b"\xf6")
    bad("the block twice", good + good)
    bad("a length beyond the end", with_raw(data=head(2, 2**32) + entries["data"]))
    bad("a length of 2^64 - 1", with_raw(data=head(2, 2**64 - 1) + entries["data"]))

    # Canonical DAG-CBOR, but not an event's block.
    for value, how in (([entries], "a list"), (None, "null"), ("v", "text"), (good, "bytes"), ({}, "an empty map"), (1, "an integer"),
                       (list(entries.values()), "a list of the values")):
        wrong(f"the block is {how}", dag_cbor.encode(value))
    for key in sorted(entries, key=lambda key: (len(key), key)):
        wrong(f"{key} is missing", dag_cbor.encode({k: v for k, v in entries.items() if k != key}))
    for key in ("w", "zz", "trace", "V", "", "sig"):
        wrong(f"an extra key `{key}`", dag_cbor.encode({**entries, key: None}))
    wrong("a key in another case", dag_cbor.encode({("SEQ" if k == "seq" else k): v for k, v in entries.items()}))
    for key, value, how in (
        ("v", 0, "0"), ("v", 2, "2"), ("v", "1", "text"), ("v", 1.0, "a float"), ("v", True, "true"), ("v", None, "null"), ("v", -1, "negative"),
        ("seq", 0, "0"), ("seq", -2, "negative"), ("seq", 2**53, "2^53"), ("seq", 2**64 - 1, "2^64 - 1"), ("seq", "2", "text"), ("seq", 2.0, "a float"), ("seq", None, "null"),
        ("tv", 0, "0"), ("tv", -1, "negative"), ("tv", 2**53, "2^53"), ("tv", "1", "text"), ("tv", 1.0, "a float"), ("tv", None, "null"),
        ("time", -1, "negative"), ("time", MAX_MICROS + 1, "after 9999"), ("time", 1.5, "a float"), ("time", float(entries["time"]), "a whole float"),
        ("time", "2024-11-21T09:30:00.999999Z", "text"), ("time", None, "null"),
        ("id", entries["id"][:15], "of 15 bytes"), ("id", entries["id"] + b"\0", "of 17 bytes"), ("id", b"", "empty"), ("id", str(uuid.UUID(bytes=entries["id"])), "text"),
        ("id", None, "null"), ("id", bytes(16), "the nil UUID"), ("id", entries["id"][:6] + b"\x4f" + entries["id"][7:], "a UUID of version 4"),
        ("id", entries["id"][:8] + b"\xff" + entries["id"][9:], "a UUID of another variant"),
        ("cor", entries["cor"][:15], "of 15 bytes"), ("cor", entries["cor"] + b"\0", "of 17 bytes"), ("cor", None, "null"), ("cor", str(uuid.UUID(bytes=entries["cor"])), "text"),
        ("cau", entries["cau"][:15], "of 15 bytes"), ("cau", b"", "empty"), ("cau", False, "false"), ("cau", str(uuid.UUID(bytes=entries["cau"])), "text"),
        ("prev", None, "null at version 2"), ("prev", link, "bytes without a tag"), ("prev", events[1]["previous"], "text"), ("prev", [entries["prev"]], "a list"),
        ("prev", CID("base32", 1, "dag-json", entries["prev"].digest), "a CID with codec dag-json"), ("prev", CID("base32", 1, "raw", entries["prev"].digest), "a CID with codec raw"),
        ("prev", CID("base32", 1, "dag-cbor", b"\x12\x20" + link[4:]), "a CID with hash SHA2-256"),
        ("ns", "", "empty"), ("ns", "cowboyai.security", "of two tokens"), ("ns", "cowboyai.security.keys.more", "of four tokens"), ("ns", "cowboyai..keys", "with an empty token"),
        ("ns", "cowboyai.*.keys", "with a wildcard"), ("ns", "cowboyai.security.k s", "with a space"), ("ns", ["cowboyai", "security", "keys"], "a list"), ("ns", b"cowboyai.security.keys", "bytes"),
        ("agg", "", "empty"), ("agg", "a.b", "two tokens"), ("agg", "k" * 129, "of 129 characters"), ("agg", "*", "a wildcard"), ("agg", None, "null"),
        ("key", "", "empty"), ("key", "a.b", "two tokens"), ("key", "k" * 129, "of 129 characters"), ("key", "\u00e4", "beyond ASCII"), ("key", entries["id"], "bytes"),
        ("op", "", "empty"), ("op", ">", "a wildcard"), ("op", "a b", "with a space"), ("op", "o" * 129, "of 129 characters"), ("op", None, "null"),
        ("type", "", "empty"), ("type", "keyNamed", "begins with a small letter"), ("type", "Key-Named", "with a dash"), ("type", "K" + "n" * 128, "of 129 characters"), ("type", 1, "an integer"),
        ("src", "", "empty"), ("src", " a", "after a space"), ("src", "a\u00a0", "before U+00A0"), ("src", "a\tb", "with a tab"), ("src", "a\x85b", "with U+0085"), ("src", "v" * 4097, "of 4097 bytes"), ("src", b"a", "bytes"), ("src", None, "null"),
        ("ct", "", "empty"), ("ct", "text/plain ", "before a space"), ("ct", "text/\nplain", "with a line feed"), ("ct", None, "null"),
        ("data", "{}", "text"), ("data", None, "null"), ("data", {}, "a map"), ("data", [1, 2], "a list"), ("data", entries["prev"], "a link"),
        ("meta", None, "null"), ("meta", [], "a list"), ("meta", "", "text"), ("meta", {"a": 1}, "with a value that is an integer"), ("meta", {"a": None}, "with a value that is null"),
        ("meta", {"a": b"1"}, "with a value that is bytes"), ("meta", {"a": {}}, "with a value that is a map"), ("meta", {"a": ""}, "with an empty value"), ("meta", {"a": " 1"}, "with a value after a space"),
        ("meta", {"a": "1\n"}, "with a value before a line feed"), ("meta", {"a": "v" * 4097}, "with a value of 4097 bytes"), ("meta", {"": "1"}, "with an empty name"), ("meta", {"a_b": "1"}, "with a name with an underscore"),
        ("meta", {"n" * 65: "1"}, "with a name of 65 characters"), ("meta", {"a": "1", "A": "2"}, "with two names equal ignoring case"),
    ):
        wrong(f"{key} is {how}" if not how.startswith(("with ", "begins", "after ", "before ")) else f"{key} {how}", with_(**{key: value}))
    wrong("prev is a CID with a byte behind", with_link(link + b"\0"))
    wrong("prev is a CID with one byte short", with_link(link[:-1]))
    wrong("prev is a CID of version 2", with_link(b"\x02" + link[1:]))
    wrong("prev is a CID with a codec number that is not minimal", with_link(b"\x01\xf1\x00\x1e\x20" + link[4:]))
    wrong("prev is a CID of no bytes", with_link(b""))
    wrong("prev is a link at version 1", dag_cbor.encode({**dag_cbor.decode(first), "prev": entries["prev"]}))
    wrong("prev is false at version 1", dag_cbor.encode({**dag_cbor.decode(first), "prev": False}))
    return rows


def make_chain_rows(events):
    place_of = {event["name"]: place for place, event in enumerate(events)}
    key = [place_of[event["name"]] for event in events if tuple(event["aggregate"].values()) == KEY]
    other = [place_of[event["name"]] for event in events if tuple(event["aggregate"].values()) == OTHER_KEY]
    blob = [place_of[event["name"]] for event in events if tuple(event["aggregate"].values()) == BLOB]
    blob = [place for place in blob if len(events[place]["body_hex"]) < 1000]
    counter = [place for place, event in enumerate(events) if event["name"].startswith("counter v")]
    rows = []

    def remake(place, aggregate=KEY, **changes):
        """An event that is sound in itself, made from another."""
        entries = dag_cbor.decode(bytes.fromhex(events[place]["block_hex"]))
        args = {"version": entries["seq"], "previous": events[place]["previous"], "body": entries["data"]}
        args.update(changes)
        event = make(
            f"remade {place}", aggregate, args["version"], args["previous"], time=entries["time"], type=entries["type"], operation=entries["op"],
            id=str(uuid.UUID(bytes=entries["id"])), correlation=str(uuid.UUID(bytes=entries["cor"])), schema=entries["tv"], body=args["body"],
        )
        return event

    def refuse(code, at, why, chain, start=None, aggregate=KEY):
        messages = [events[item] if isinstance(item, int) else item for item in chain]
        assert check_chain(messages, aggregate, start) == (at, code), (why, check_chain(messages, aggregate, start))
        rows.append({
            "kind": "chain", "code": code, "at": at, "why": why, "aggregate": dict(zip(("namespace", "entity", "id"), aggregate)),
            "from": start, "events": [item if isinstance(item, int) else message(item) for item in chain],
        })

    def head_at(place):
        return {"version": events[place]["version"], "cid": events[place]["cid"]}

    # The sound ones first: what follows breaks one thing each.
    assert check_chain([events[place] for place in key], KEY, None) is None
    assert check_chain([events[place] for place in key[3:]], KEY, head_at(key[2])) is None
    for low, high in zip(counter[::2], counter[1::2]):
        assert check_chain([events[low], events[high]], tuple(events[low]["aggregate"].values()), events[low]["starts_from"]) is None

    refuse("gap", 0, "does not start at version 1", key[1:])
    refuse("gap", 2, "version 3 is left out", [key[0], key[1], key[3], key[4]])
    refuse("gap", 1, "version 1, then version 5", [key[0], key[4]])
    refuse("gap", 0, "starts two versions after the trusted head", key[3:], head_at(key[1]))
    refuse("gap", 2, "a made version 4 with the right link", [key[0], key[1], remake(key[3], previous=events[key[1]]["cid"])])
    refuse("duplicate", 2, "version 2 twice, one after the other", [key[0], key[1], key[1], key[2]])
    refuse("duplicate", 1, "version 1 twice", [key[0], key[0]])
    refuse("duplicate", 3, "the history starts again", [key[0], key[1], key[2], key[0]])
    refuse("duplicate", 0, "the trusted head itself comes first", key[2:], head_at(key[2]))
    refuse("duplicate", 0, "an event from before the trusted head", key[1:], head_at(key[2]))
    fork = remake(key[1], body=b'{"name":"forged"}')
    refuse("duplicate", 2, "a second version 2, sound in itself", [key[0], key[1], fork])
    refuse("duplicate", 3, "version 2 again after version 3", [key[0], key[1], key[2], key[1]])
    refuse("gap", 1, "two versions exchanged", [key[0], key[2], key[1]])
    refuse("broken-link", 2, "version 2 rewritten with a new CID, version 3 links to the old one", [key[0], fork, key[2]])
    refuse("broken-link", 1, "version 1 rewritten with a new CID", [remake(key[0], body=b"{}"), key[1], key[2]])
    refuse("broken-link", 1, "version 2 links to itself in an older form", [key[0], remake(key[1], previous=events[key[1]]["cid"])])
    refuse("broken-link", 2, "version 3 links to version 1", [key[0], key[1], remake(key[2], previous=events[key[0]]["cid"])])
    refuse("broken-link", 0, "the trusted head is another event of that version", key[2:], {"version": 2, "cid": fork["cid"]})
    refuse("broken-link", 0, "the trusted head's CID is that of version 1", key[2:], {"version": 2, "cid": events[key[0]]["cid"]})
    refuse("broken-link", 0, "from a trusted head at version 22 with another CID", counter[0:2],
           {"version": 22, "cid": events[counter[2]]["starts_from"]["cid"]}, tuple(events[counter[0]]["aggregate"].values()))
    refuse("wrong-aggregate", 2, "an event of another key", [key[0], key[1], other[1]])
    refuse("wrong-aggregate", 0, "the whole history of another key", other)
    refuse("wrong-aggregate", 0, "first after a trusted head, an event of another key with the right version and link",
           [remake(key[2], aggregate=OTHER_KEY)], head_at(key[1]))
    for aggregate, what in (
        (("cowboyai.security.other", KEY[1], KEY[2]), "domain"), (("cowboyai.Security.keys", KEY[1], KEY[2]), "unit, by case only"),
        (("Cowboyai.security.keys", KEY[1], KEY[2]), "organization, by case only"), ((KEY[0], "keys", KEY[2]), "entity"),
        ((KEY[0], KEY[1], KEY[2].upper()), "id, by case only"),
    ):
        refuse("wrong-aggregate", 2, f"right version and link, another {what}", [key[0], key[1], remake(key[2], aggregate=aggregate)])
    changed = {**message(events[key[1]]), "body_hex": b'{"name":"forged"}'.hex()}
    refuse("wrong-cid", 1, "the body of version 2 changed", [key[0], changed, key[2]])
    refuse("wrong-cid", 0, "the body of version 1 changed", [{**message(events[key[0]]), "body_hex": ""}, key[1]])
    refuse("wrong-cid", 1, "version 2 names the CID of a forged version 2", [key[0], Edit(events[key[1]]).set("CIM-Cid", fork["cid"]).row, key[2]])
    refuse("wrong-cid", 2, "version 3 carries another time", [key[0], key[1], Edit(events[key[2]]).set("CIM-Timestamp", "2024-11-21T09:31:00.000001Z").row])
    refuse("wrong-cid", 1, "version 3 renumbered to 2", [key[0], Edit(events[key[2]]).set("CIM-Aggregate-Version", "2").set("CIM-Previous-Cid", events[key[0]]["cid"]).row])
    refuse("wrong-cid", 0, "an event of another key with this key's subject",
           [Edit(events[other[0]]).subject(events[key[0]]["subject"]).row, key[1]])
    refuse("wrong-cid", 4, "the last body changed", [*blob[:4], {**message(events[blob[4]]), "body_hex": b"y".hex() * 256}], None, BLOB)
    return rows


def make_text_rows():
    rows = []

    def subject(text, why):
        assert verdict(lambda: check_subject(text)) == "subject-invalid", why
        rows.append({"kind": "subject", "text": text, "code": "subject-invalid", "why": why})

    for text, why in (
        ("", "empty"), (".", "two empty tokens"), ("a..b", "an empty token"), (".a", "a dot in front"), ("a.", "a dot at the end"), ("*", "a wildcard"), (">", "a wildcard"),
        ("a.*.b", "a wildcard"), ("a.>", "a wildcard"), ("a.b*", "a star inside a token"), ("a.>b", "a greater-than sign inside a token"), ("a b", "a space"), (" a", "a space in front"),
        ("a ", "a space at the end"), ("a.\tb", "a tab"), ("a.b\n", "a line feed at the end"), ("a.b\r\nPUB x 0", "a line end and more"), ("a.b\x00", "U+0000"), ("stra\u00dfe.a", "beyond ASCII"),
        ("a.\u0661", "a digit beyond ASCII"), ("a.\uff41", "a full-width letter"), ("$JS.API", "a dollar"), ("a/b", "a slash"), ("a:b", "a colon"), ("a.{id}", "braces"), ("a,b", "a comma"),
        ("t" * 129, "a token of 129 characters"), ("a." + "t" * 129 + ".b", "a token of 129 characters in the middle"),
    ):
        subject(text, why)

    def template(text, why, constants=None, use="publish", code=None):
        code = code or ("template-not-storable" if use == "store" else "template-invalid")
        value = {"subject": text, "constants": constants or {}}
        assert verdict(lambda: check_template(value, use)) == code, why
        assert use == "publish" or verdict(lambda: check_template(value)) is None, why
        rows.append({"kind": "template", "text": text, "constants": value["constants"], "use": use, "code": code, "why": why})

    for text, why in (
        ("", "empty"), ("{organization}.{unit}.{colour}.{id}.{operation}", "an unknown field"), ("{organization}.{id", "a brace that is not closed"), ("{organization}.id}", "a brace that was not opened"),
        ("a.{}.{operation}", "a field without a name"), ("a.{ID}.{operation}", "a field in upper case"), ("a.{ id }.{operation}", "spaces in a field"), ("a.{id}.{id}.{operation}", "a field twice"),
        ("{operation}.{operation}", "a field twice, nothing else"), ("a.key-{id}.{operation}", "a literal and a field in one token"), ("a.{id}{operation}", "two fields in one token"),
        ("a.{{id}}.{operation}", "double braces"), ("a.*.{id}.{operation}", "a literal that is a wildcard"), ("a.{id}.>", "a literal that is a wildcard"), ("a..{id}.{operation}", "an empty token"),
        (".{id}.{operation}", "a dot in front"), ("{id}.{operation}.", "a dot at the end"), ("a b.{id}.{operation}", "a space"), ("stra\u00dfe.{id}.{operation}", "a literal beyond ASCII"),
        ("l" * 129 + ".{id}.{operation}", "a literal of 129 characters"), ("{type}.{id}.{operation}", "a field that events have but subjects do not"),
    ):
        template(text, why)
    rest = {"organization": "o", "unit": "u", "domain": "d"}
    full = {**rest, "entity": "e"}
    template("{entity}.{id}.{operation}", "a field in the subject and in the constants", full)
    template("x.{id}.{operation}", "a constant with two tokens", {**full, "entity": "a.b"})
    template("x.{id}.{operation}", "an empty constant", {**full, "entity": ""})
    template("x.{id}.{operation}", "a constant that is a wildcard", {**full, "entity": "*"})
    template("x.{id}.{operation}", "a constant with a space", {**full, "entity": "a b"})
    template("x.{id}.{operation}", "a constant of 129 characters", {**full, "entity": "e" * 129})
    template("x.{id}.{operation}", "a constant that is a field", {**full, "entity": "{id}"})
    template("x.{id}.{operation}", "an unknown constant", {**full, "colour": "red"})
    template("x.{id}.{operation}", "a constant in another case", {**rest, "Entity": "e"})
    template("keys.events.{entity}.{operation}", "no {id}", rest, "store")
    template("{organization}.{unit}.{domain}.{entity}.{operation}", "no {id}: the layout of commands", None, "store")
    template("{organization}.{unit}.{domain}.{entity}.{operation}.{id}", "{operation} is not last", None, "store")
    template("{organization}.{unit}.{domain}.{id}.{entity}.{operation}", "{id} is not next to the last", None, "store")
    template("{organization}.{unit}.{domain}.{entity}.{id}.x.{operation}", "a literal between {id} and {operation}", None, "store")
    template("{organization}.{unit}.{domain}.{entity}.{id}.{operation}.x", "a literal behind {operation}", None, "store")
    template("x.{id}.{operation}", "four fields are missing", None, "store")
    template("x.{id}.{operation}", "the entity is missing", rest, "store")
    template("{unit}.{domain}.{entity}.{id}.{operation}", "the organization is missing", None, "store")
    template("{organization}.{unit}.{domain}.{entity}.{id}", "{operation} is missing", None, "store")

    def filter_(text, why):
        assert verdict(lambda: check_filter(text)) == "filter-invalid", why
        rows.append({"kind": "filter", "text": text, "code": "filter-invalid", "why": why})

    for text, why in (
        ("", "empty"), ("a.>.b", "> is not last"), (">.a", "> is not last"), (">.>", "> is not last"), ("a.>.>", "> is not last"), ("*a", "a star inside a token"), ("a*", "a star inside a token"),
        ("a.b*c.d", "a star inside a token"), ("**", "two stars"), ("a.>b", "> inside a token"), ("a.>>", "two greater-than signs"), ("a..b", "an empty token"), (".a", "a dot in front"), ("a.", "a dot at the end"),
        ("a.>.", "a dot behind >"), ("*.", "a dot behind a star"), ("a b", "a space"), ("a.* ", "a space at the end"), ("a.\t", "a tab"), ("a.\u00e4.>", "beyond ASCII"), ("a.{id}.>", "braces"),
        ("t" * 129 + ".>", "a token of 129 characters"),
    ):
        filter_(text, why)

    def operation(name, why, code="event-type-invalid", kind="event", entity="key"):
        assert verdict(lambda: operation_of(kind, name, entity)) == code, why
        rows.append({"kind": "operation", "for": kind, "type": name, "entity": entity, "code": code, "why": why})

    for name, why in (
        ("", "empty"), ("keyGenerated", "begins with a small letter"), ("Key-Generated", "a dash"), ("Key_Generated", "an underscore"), ("Key Generated", "a space"), ("Key.Generated", "a dot"),
        ("7KeyGenerated", "begins with a digit"), ("_KeyGenerated", "begins with an underscore"), ("\u00c4nderungErfolgt", "begins beyond ASCII"), ("Gr\u00f6\u00dfe", "a letter beyond ASCII"),
        ("Key\u0662", "a digit beyond ASCII"), ("\uff2bey", "a full-width letter"), ("KeyGenerated\n", "a line feed at the end"), (" KeyGenerated", "a space in front"), ("K" * 129, "129 characters"),
        ("*", "a wildcard"),
    ):
        operation(name, why)
    operation("Ab" * 64, "191 characters as a token", "operation-too-long")
    operation(LONGEST + "c", "129 characters as a token", "operation-too-long", "command")
    return rows


def make_refused(events):
    return make_header_rows(events) + make_block_rows(events) + make_chain_rows(events) + make_text_rows()


# --- The small files ------------------------------------------------------------------------------------------------------


def make_cids():
    rows = []
    for what, data in (
        ("no bytes", b""), ("an empty map", dag_cbor.encode({})), ("an empty list", dag_cbor.encode([])), ("null", dag_cbor.encode(None)),
        ("a map", dag_cbor.encode({"a": 1, "bb": [True, False]})), ("the bytes 00 to fb, 1024 of them", bytes(n % 251 for n in range(1024))),
        ("1025 of them: one more than a chunk of BLAKE3", bytes(n % 251 for n in range(1025))), ("100000 zeros", bytes(100000)),
    ):
        cid = cid_of(data)
        row = {"cid": str(cid), "bytes_hex": bytes(cid).hex(), "of": what}
        if len(data) <= 1025:
            row["of_hex"] = data.hex()
        rows.append(row)
    for what, digest in (("a digest of zeros", bytes(32)), ("a digest of ones", b"\xff" * 32), ("a digest that counts up", bytes(range(32))),
                         ("a digest with its last bit set", bytes(31) + b"\x01"), ("a digest with its first bit set", b"\x80" + bytes(31))):
        cid = cid_of_digest(digest)
        rows.append({"cid": str(cid), "bytes_hex": bytes(cid).hex(), "of": what})
    for row in rows:
        assert read_cid(row["cid"]).hex() == row["bytes_hex"] and len(row["cid"]) == 59 and row["cid"].startswith("bafyr4i")
    return rows


def make_times():
    accepted, refused = [], []
    for text, canonical in (
        ("1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000Z"), ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
        ("1970-01-01 00:00:00", "1970-01-01T00:00:00.000000Z"), ("1970-01-01T00:00:00.0000009Z", "1970-01-01T00:00:00.000000Z"),
        ("1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000001Z"), ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000000Z"),
        ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000000Z"), ("1969-12-31T00:01:00-23:59", "1970-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"), ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T22:59:59-01:00", "9999-12-31T23:59:59.000000Z"), ("2024-11-21T09:30:00Z", "2024-11-21T09:30:00.000000Z"),
        ("2024-11-21 09:30:00Z", "2024-11-21T09:30:00.000000Z"), ("2024-11-21T09:30:00", "2024-11-21T09:30:00.000000Z"),
        ("2024-11-21T09:30:00.123456", "2024-11-21T09:30:00.123456Z"), ("2024-11-21T09:30:00.1Z", "2024-11-21T09:30:00.100000Z"),
        ("2024-11-21T09:30:00.12Z", "2024-11-21T09:30:00.120000Z"), ("2024-11-21T09:30:00.123Z", "2024-11-21T09:30:00.123000Z"),
        ("2024-11-21T09:30:00.01234Z", "2024-11-21T09:30:00.012340Z"), ("2024-11-21T09:30:00.1234567Z", "2024-11-21T09:30:00.123456Z"),
        ("2024-11-21T09:30:00.123456999Z", "2024-11-21T09:30:00.123456Z"), ("2024-11-21T09:30:00.12345678901234567890Z", "2024-11-21T09:30:00.123456Z"),
        ("2024-11-21T09:30:00.999999999999Z", "2024-11-21T09:30:00.999999Z"), ("2024-11-21T09:30:00+00:00", "2024-11-21T09:30:00.000000Z"),
        ("2024-11-21T09:30:00-00:00", "2024-11-21T09:30:00.000000Z"), ("2024-11-21T09:30:00+02:00", "2024-11-21T07:30:00.000000Z"),
        ("2024-11-21 09:30:00.5+05:30", "2024-11-21T04:00:00.500000Z"), ("2024-11-21T09:30:00-03:30", "2024-11-21T13:00:00.000000Z"),
        ("2024-11-21T09:30:00+14:00", "2024-11-20T19:30:00.000000Z"), ("2024-11-21T09:30:00+23:59", "2024-11-20T09:31:00.000000Z"),
        ("2024-11-21T09:30:00-23:59", "2024-11-22T09:29:00.000000Z"), ("2011-10-11 13:45:40.276000+02:00", "2011-10-11T11:45:40.276000Z"),
        ("2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00.000000Z"), ("2023-03-01T00:30:00+01:00", "2023-02-28T23:30:00.000000Z"),
        ("2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00.000000Z"), ("2025-01-01T00:30:00+01:00", "2024-12-31T23:30:00.000000Z"),
        ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00.000000Z"), ("2400-02-29T12:00:00Z", "2400-02-29T12:00:00.000000Z"),
        ("2038-01-19T03:14:08Z", "2038-01-19T03:14:08.000000Z"), ("2016-12-31T23:59:59.999999Z", "2016-12-31T23:59:59.999999Z"),
        ("2255-06-05T23:47:34.740993Z", "2255-06-05T23:47:34.740993Z"),
    ):
        micros, missing = parse_time(text)
        assert time_text(micros) == canonical and parse_time(canonical) == (micros, False), text
        if micros < 10**17:  # Where datetime can say it exactly, it has to agree.
            moment = datetime.datetime.fromisoformat(canonical)
            assert (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1) == micros
        accepted.append({"input": text, "canonical": canonical, "micros": str(micros), "offset_missing": missing})
    for text, code, why in (
        ("1969-12-31T23:59:59.999999Z", "time-before-1970", "one microsecond before 1970"), ("1969-12-31T23:59:59.9999999Z", "time-before-1970", "finer digits are cut off, not rounded"),
        ("1970-01-01T00:30:00+01:00", "time-before-1970", "before 1970 in UTC"), ("1970-01-01 00:00:00+00:01", "time-before-1970", "before 1970 in UTC"),
        ("1900-01-01T00:00:00Z", "time-before-1970", "before 1970"), ("0001-01-01T00:00:00Z", "time-before-1970", "the year 1"), ("0000-01-01T00:00:00Z", "time-before-1970", "the year 0"),
        ("9999-12-31T23:59:59.999999-00:01", "time-after-9999", "after 9999 in UTC"), ("9999-12-31T23:00:00-01:00", "time-after-9999", "after 9999 in UTC"),
        ("2016-12-31T23:59:60Z", "time-leap-second", "a leap second"), ("2017-01-01T00:59:60+01:00", "time-leap-second", "a leap second with an offset"), ("2016-12-31 23:59:60.5", "time-leap-second", "inside a leap second"),
        ("2016-12-31T23:59:61Z", "time-invalid", "second 61"), ("2024-13-01T00:00:00Z", "time-invalid", "month 13"), ("2024-00-01T00:00:00Z", "time-invalid", "month 0"),
        ("2024-01-00T00:00:00Z", "time-invalid", "day 0"), ("2024-01-32T00:00:00Z", "time-invalid", "day 32"), ("2024-04-31T00:00:00Z", "time-invalid", "31 April"), ("2024-02-30T00:00:00Z", "time-invalid", "30 February"),
        ("2023-02-29T00:00:00Z", "time-invalid", "29 February of a common year"), ("2100-02-29T00:00:00Z", "time-invalid", "29 February 2100"), ("2024-11-21T24:00:00Z", "time-invalid", "hour 24"),
        ("2024-11-21T25:00:00Z", "time-invalid", "hour 25"), ("2024-11-21T09:60:00Z", "time-invalid", "minute 60"), ("2024-11-21T09:30:00+24:00", "time-invalid", "an offset of 24 hours"),
        ("2024-11-21T09:30:00+99:00", "time-invalid", "an offset of 99 hours"), ("2024-11-21T09:30:00+01:60", "time-invalid", "an offset with minute 60"), ("2024-11-21T09:30:00+1:00", "time-invalid", "an offset with one digit"),
        ("2024-11-21T09:30:00 CET", "time-invalid", "a zone name"), ("2024-11-21T09:30:00.Z", "time-invalid", "a point without digits"), ("2024-11-21T09:30:00.12a4Z", "time-invalid", "a letter in the fraction"),
        ("2024-11-21", "time-invalid", "a date alone"), ("09:30:00Z", "time-invalid", "a time of day alone"), ("2024-1-1T00:00:00Z", "time-invalid", "month and day of one digit"), ("24-11-21T09:30:00Z", "time-invalid", "a year of two digits"),
        ("10000-01-01T00:00:00Z", "time-after-9999", "a year of five digits"), ("20240-11-21T09:30:00Z", "time-after-9999", "a year with a digit too many"), ("+2024-11-21T09:30:00Z", "time-invalid", "a signed year"), ("-2024-11-21T09:30:00Z", "time-invalid", "a negative year"),
        ("2024/11/21T09:30:00Z", "time-invalid", "slashes"), ("21.11.2024 09:30:00", "time-invalid", "day first"), ("2024-11-21_09:30:00Z", "time-invalid", "an underscore"), ("2024-11-21  09:30:00Z", "time-invalid", "two spaces"),
        ("2024-11-21T09:30:00ZZ", "time-invalid", "Z twice"), ("2024-11-21T09:30:00Z+01:00", "time-invalid", "Z and an offset"), ("2024-11-21T09:30:00Z\n", "time-invalid", "a line feed behind"), ("\u0662\u0660\u0662\u0664-11-21T09:30:00Z", "time-invalid", "digits beyond ASCII"),
        ("2024-11-21T09:30:0\uff10Z", "time-invalid", "a full-width digit"), ("2024-11-21T09:-1:00Z", "time-invalid", "a negative minute"), ("1732181400", "time-invalid", "seconds since 1970"), ("garbage", "time-invalid", "garbage"), ("", "time-invalid", "empty"),
    ):
        assert verdict(lambda: parse_time(text)) == code, (text, code, verdict(lambda: parse_time(text)))
        refused.append({"input": text, "code": code, "why": why})
    return accepted, refused


def make_ids():
    rows = []
    receipt = b'{"org:resource":"Resource21"}'
    for namespace, entity, key, name, time, payload, ordinal in (
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 0),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 1),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 23),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 24),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276001+02:00"), receipt, 0),
        ("local.main.events", "case", "case-10012", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 0),
        ("local.main.events", "permit", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 0),
        ("local.main.other", "case", "case-10011", "ConfirmationOfReceipt", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 0),
        ("local.main.events", "case", "case-10011", "T06DetermineNecessityOfStopAdvice", micros_of("2011-10-11 13:45:40.276000+02:00"), receipt, 0),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", 0, b"", 0),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", 999, b"{}", 0),
        ("local.main.events", "case", "case-10011", "ConfirmationOfReceipt", 1000, b"{}", 0),
        ("cowboyai.security.keys", "key", "k" * 128, "A", MAX_MICROS, bytes(range(256)), 65536),
        ("a.b.c", "d", "e", "F", 1_700_000_000_123_999, b"\xff\xfe", 255),
    ):
        listed = dag_cbor.encode([namespace, entity, key, name, time, payload, ordinal])
        raw = bytearray((time // 1000).to_bytes(6, "big") + digest_of(listed)[:10])
        raw[6] = 0x70 | raw[6] & 0x0F
        raw[8] = 0x80 | raw[8] & 0x3F
        made = uuid.UUID(bytes=bytes(raw))
        assert made.version == 7 and made.variant == uuid.RFC_4122 and made.int >> 80 == time // 1000
        rows.append({
            "namespace": namespace, "entity": entity, "id": key, "type": name, "micros": str(time), "payload_hex": payload.hex(), "ordinal": ordinal,
            "list_hex": listed.hex(), "uuid": str(made),
        })
    assert len({row["uuid"] for row in rows}) == len(rows)

    def type_of(text):
        name = "".join(part[0].upper() + part[1:] for part in re.split("[^A-Za-z0-9]+", text) if part)
        if not TYPE.match(name):
            raise Refused("event-type-invalid")
        return name

    names = []
    for text, expected in (
        ("T06 Determine necessity of stop advice", "T06DetermineNecessityOfStopAdvice"), ("Confirmation of receipt", "ConfirmationOfReceipt"),
        ("T02 Check confirmation of receipt", "T02CheckConfirmationOfReceipt"), ("KeyGenerated", "KeyGenerated"), ("keyGenerated", "KeyGenerated"), ("key_generated", "KeyGenerated"),
        ("key-generated", "KeyGenerated"), ("key.generated.v2", "KeyGeneratedV2"), ("com.example/order:placed", "ComExampleOrderPlaced"), ("  spaced   out  ", "SpacedOut"), ("A", "A"), ("a", "A"),
        ("HTTP server", "HTTPServer"), ("shipped (2nd try)", "Shipped2ndTry"), ("O'Brien's order", "OBrienSOrder"), ("Gr\u00f6\u00dfe ge\u00e4ndert", "GrEGeNdert"), ("\u00dcbung begonnen", "BungBegonnen"),
        ("caf\u00e9", "Caf"), ("order\tplaced\n", "OrderPlaced"), ("\ufefforder placed", "OrderPlaced"), ("order\U0001f600placed", "OrderPlaced"), ("e\u0301tape", "ETape"), ("n" * 128, "N" + "n" * 127),
    ):
        assert type_of(text) == expected, (text, type_of(text))
        names.append({"text": text, "type": expected})
    for text, why in (
        ("", "empty"), ("   ", "nothing left"), ("--- !!", "nothing left"), ("\u6771\u4eac", "nothing left"), ("2nd try", "begins with a digit"), ("06 Determine", "begins with a digit"),
        (" 7", "begins with a digit"), ("\u00e97 days", "begins with a digit after what is split off"), ("n" * 129, "129 characters"), ("a b" * 65, "130 characters after joining"),
    ):
        assert verdict(lambda: type_of(text)) == "event-type-invalid", text
        names.append({"text": text, "code": "event-type-invalid", "why": why})
    return rows, names


def make_filters():
    key = "cowboyai.security.keys.key.k1.generated"
    rows = []
    for text, subject, expected in (
        (key, key, True), (">", key, True), (">", "a", True), ("*", "a", True), ("*", "a.b", False), ("*.*", "a", False), ("*.*", "a.b", True), ("*.>", "a", False), ("*.>", "a.b", True),
        ("*.>", "a.b.c", True), ("a.>", "a", False), ("a.>", "a.b", True), ("a.>", "a.b.c.d", True), ("a.>", "b.a", False), ("a.*", "a", False), ("a.*", "a.b", True), ("a.*", "a.b.c", False),
        ("a.*.c", "a.b.c", True), ("a.*.c", "a.b.d", False), ("a.*.c", "a.c", False), ("a.*.c", "a.b.b.c", False), ("*.b", "a.b", True), ("*.b", "b", False), ("a", "A", False), ("a.b", "a.B", False),
        ("a", "ab", False), ("ab", "a", False), ("a.b", "a", False), ("a", "a.b", False), ("a.*.>", "a.b", False), ("a.*.>", "a.b.c", True), ("*.*.>", "a.b", False), ("*.*.*", "a.b.c", True),
        ("a-b.*", "a-b._", True), ("a-b.*", "a_b._", False),
        ("cowboyai.security.keys.*.*.*", key, True), ("cowboyai.security.keys.*.*", key, False), ("cowboyai.security.keys.*.*", "cowboyai.security.keys.operator.create", True),
        ("cowboyai.security.keys.*.*.*", "cowboyai.security.keys.operator.create", False), ("cowboyai.security.keys.key.k1.>", key, True), ("cowboyai.security.keys.key.k1.*", key, True),
        ("cowboyai.security.keys.key.k1.>", "cowboyai.security.keys.key.k11.generated", False), ("cowboyai.security.keys.key.k1.>", "cowboyai.security.keys.key.k1", False),
        ("*.*.*.key.*.generated", key, True), ("*.*.*.key.*.revoked", key, False), ("cowboyai.>", key, True), ("cowboy.>", key, False),
    ):
        check_filter(text)
        check_subject(subject)
        assert filter_matches(text, subject) == expected, (text, subject)
        # Said once more by a regular expression.
        pattern = re.escape(text).replace(r"\*", "[^.]+")
        pattern = pattern[:-1] + ".+" if pattern.endswith(">") else pattern
        assert bool(re.fullmatch(pattern, subject)) == expected, (text, subject, pattern)
        rows.append({"filter": text, "subject": subject, "matches": expected})
    return rows


# --- Writing --------------------------------------------------------------------------------------------------------------


def make_files():
    events = make_events()
    accepted, refused = make_times()
    derivations, names = make_ids()
    return {
        "events.json": {
            "about": "Stored events as they are on the wire, with the block and the CID of each. The events of one aggregate follow each other; one that says "
                     "starts_from links to that trusted head. others: the same events under other templates, the same blocks.",
            "template": DEFAULT_TEMPLATE, "events": events, "others": make_others(events),
        },
        "operations.json": {
            "about": "The default operation token of an event type or command type, or the error.", "vectors": make_operations(),
        },
        "refused.json": {
            "about": "What is refused, and with which code; kind says what the input is. README.md has the codes, and which counts where an input has two faults.",
            "template": DEFAULT_TEMPLATE, "vectors": make_refused(events),
        },
        "cids.json": {
            "about": "CIDs as text and as bytes; of_hex is the content whose digest it is, taken as bytes.", "vectors": make_cids(),
        },
        "timestamps.json": {
            "about": "Input times, their canonical text and microseconds since 1970 as decimal text, and refused ones.",
            "accepted": accepted, "refused": refused,
        },
        "ids.json": {
            "about": "Event ids that an import derives, and event types made from free text. micros is decimal text; list_hex is the hashed list.",
            "derivations": derivations, "type_names": names,
        },
        "filters.json": {
            "about": "Whether a subject filter matches a subject, as nats-server has it.", "vectors": make_filters(),
        },
    }


def main():
    stale = []
    for name, content in make_files().items():
        text = json.dumps({"origin": ORIGIN, **content}, indent=1, ensure_ascii=True) + "\n"
        assert json.loads(text) == {"origin": ORIGIN, **content}
        path = HERE / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_bytes() != text.encode():
                stale.append(name)
        else:
            path.write_bytes(text.encode())
        counts = {key: len(value) for key, value in content.items() if isinstance(value, list)}
        print(name, len(text), counts)
    if stale:
        sys.exit(f"would change: {', '.join(stale)}")


if __name__ == "__main__":
    main()
