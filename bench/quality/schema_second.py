"""A second corpus of schema changes: payments, clicks and readings of devices. No limit was tuned on it."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from bench.quality.schema_scenario import (
    Expected,
    Labelled,
    Ordinary,
    Quiet,
    Record,
    Scenario,
    corpus,
    drop,
    each,
    each_value,
    nothing,
    put,
    rename,
    shuffle,
)

BEGINS: Final = datetime(2026, 4, 1, 6, tzinfo=UTC)
AGENTS: Final = ("firefox", "chrome", "safari", "edge", "opera")


def payment(number: int, chance: random.Random) -> Record:
    """A payment: money with its currency, two parties, parts in an array, codes in arrays of arrays, a map of texts."""
    at = BEGINS + timedelta(seconds=40 * number)
    record: Record = {
        "paymentId": str(UUID(int=chance.getrandbits(128), version=4)),
        "ref": 7_000_000_000 + 13 * number,
        "bookedOn": f"{at:%Y-%m-%d}",
        "valueTime": int(at.timestamp()),
        "amount": {
            "value": round(chance.lognormvariate(4, 1), 2),
            "currency": chance.choice(["EUR", "EUR", "EUR", "GBP", "USD"]),
            "fee": chance.choice([0.25, 0.35, 1.1]),
        },
        "parties": {"payer": _party(chance), "payee": _party(chance)},
        "splits": [
            {
                "account": 4_000 + chance.randrange(300),
                "part": round(chance.uniform(0.05, 0.95), 3),
                "kind": chance.choice(["net", "tax", "tip"]),
            }
            for _ in range(chance.randrange(1, 5))
        ],
        "attempts": [[chance.randrange(200, 230) for _ in range(2)] for _ in range(chance.randrange(1, 3))],
        "channel": chance.choice(["app", "web", "branch"]),
        "flags": {"sca": chance.random() < 0.7, "instant": chance.random() < 0.2},
        "risk": round(chance.betavariate(2, 8), 4),
        "memo": None if chance.random() < 0.6 else f"invoice {chance.randrange(10**5)}",
        "limits": {f"acct{chance.randrange(10**4):04}": chance.randrange(100) for _ in range(3)},
    }
    if chance.random() < 0.03:
        record["refundOf"] = 7_000_000_000 + chance.randrange(10**6)
    if chance.random() < 0.97:
        record["desk"] = chance.randrange(1, 40)
    return record


def _party(chance: random.Random) -> Record:
    return {
        "iban": f"DE{chance.randrange(10**20):020}",
        "name": f"{chance.choice('ABCDEF')}. {chance.choice(['Smith', 'Jones', 'Brown'])}{chance.randrange(500)}",
        "bank": {
            "bic": chance.choice(["COBADEFF", "DEUTDEFF", "BYLADEM1"]),
            "city": chance.choice([None, "Berlin", "Ulm"]),
            "branch": chance.randrange(10, 99),
        },
    }


def click(number: int, chance: random.Random) -> Record:
    """A click: flat, mostly texts."""
    at = BEGINS + timedelta(milliseconds=35 * number)
    return {
        "ts": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+00:00",
        "session": f"{chance.getrandbits(128):032x}",
        "ip": f"10.{chance.randrange(4)}.{chance.randrange(256)}.{chance.randrange(256)}",
        "url": f"https://shop.example/p/{chance.randrange(5_000)}",
        "referrer": None if chance.random() < 0.4 else f"https://search.example/?q={chance.randrange(900)}",
        "agent": chance.choice(AGENTS),
        "dwell_ms": int(chance.lognormvariate(8, 0.7)),
        "width": chance.choice([390, 1280, 1920]),
        "lang": chance.choice(["de-DE", "en-GB", "fr-FR"]),
        "variant": chance.choice("AB"),
        "slot": chance.randrange(1, 21),
        "is_bot": chance.random() < 0.05,
        "score": round(chance.gauss(0.6, 0.05), 4),
    }


def device(number: int, chance: random.Random) -> Record:
    """What a device reports: deep, with arrays inside of objects and objects inside of arrays."""
    at = BEGINS + timedelta(milliseconds=50 * number)
    return {
        "device": {
            "serial": f"SN-{chance.randrange(900):06}",
            "model": chance.choice(["T1", "T2", "H7"]),
            "firmware": {"version": "4.2.1", "build": 4_210 + chance.randrange(3)},
        },
        "reading": {
            "at": f"{at:%Y-%m-%d %H:%M:%S}",
            "channels": [
                {
                    "name": name,
                    "unit": unit,
                    "samples": [round(chance.gauss(mean, mean / 50), 2) for _ in range(3)],
                    "stats": {"mean": round(chance.gauss(mean, mean / 80), 2), "n": chance.randrange(90, 110)},
                }
                for name, unit, mean in (("temp", "C", 21), ("hum", "%", 48))
            ],
            "battery": {"mv": round(chance.gauss(3_700, 60)), "charging": chance.random() < 0.3},
            "position": {"lat": round(chance.gauss(52.5, 0.02), 5), "lon": round(chance.gauss(13.4, 0.02), 5), "alt_m": round(chance.gauss(34, 2), 1)},
        },
        "seq": number,
        "uplink": {"rssi": -chance.randrange(60, 110), "hops": chance.randrange(1, 6), "via": chance.choice(["gw-a", "gw-b"])},
        "faults": [{"code": chance.randrange(10, 40), "text": "low"}] if chance.random() < 0.2 else [],
        "owner": None if chance.random() < 0.01 else f"team-{chance.randrange(30)}@example.org",
    }  # fmt: skip


def _iban(was: str, _: random.Random) -> str:
    return " ".join(was[at : at + 4] for at in range(0, len(was), 4))


CHANGES: Final[tuple[Labelled, ...]] = (
    ("a field more in a payment", "field_added", "scheme", payment, put("scheme", "sepa")),
    ("a field more at depth three", "field_added", "parties.payer.bank.country", payment, put("parties.payer.bank.country", "DE")),
    ("a field more in parts", "field_added", "splits[].note", payment, each("splits", put("note", "x"))),
    ("a field more in channels", "field_added", "reading.channels[].stats.max", device, each("reading.channels", put("stats.max", 30.5))),
    ("an object more", "field_added", "consent", click, put("consent", {"ads": True})),
    ("a nullable field more", "field_added", "campaign", click, put("campaign", lambda _, chance: chance.choice([None, "spring"]))),
    ("a flag goes", "field_removed", "flags.instant", payment, drop("flags.instant")),
    ("a field goes at depth three", "field_removed", "device.firmware.build", device, drop("device.firmware.build")),
    ("a field of parts goes", "field_removed", "splits[].part", payment, each("splits", drop("part"))),
    ("an object of channels goes", "field_removed", "reading.channels[].stats", device, each("reading.channels", drop("stats"))),
    ("a column goes", "field_removed", "slot", click, drop("slot")),
    ("a reference becomes text", "type_changed", "ref", payment, put("ref", lambda was, _: str(was))),
    ("money becomes text", "type_changed", "amount.value", payment, put("amount.value", lambda was, _: f"{was} EUR")),
    ("a flag becomes text", "type_changed", "is_bot", click, put("is_bot", lambda was, _: "yes" if was else "no")),
    ("codes in arrays of arrays become text", "type_changed", "attempts[][]", payment, put("attempts", lambda was, _: [[str(it) for it in row] for row in was])),
    ("samples become text", "type_changed", "reading.channels[].samples[]", device, each("reading.channels", put("samples", lambda was, _: [str(it) for it in was]))),
    ("millivolts get fractions", "type_changed", "reading.battery.mv", device, put("reading.battery.mv", lambda was, _: was + 0.25)),
    ("a language becomes a number", "type_changed", "lang", click, put("lang", lambda _, chance: chance.randrange(40))),
    ("an id becomes a whole number", "type_changed", "paymentId", payment, put("paymentId", lambda _, chance: chance.randrange(10**12))),
    ("the limits become text", "type_changed", "limits{*}", payment, each_value("limits", lambda was, _: str(was))),
    ("null in the currency", "nullability_changed", "amount.currency", payment, put("amount.currency", None)),
    ("null in the address", "nullability_changed", "url", click, put("url", None)),
    ("null in the parts", "nullability_changed", "splits[].account", payment, each("splits", put("account", None))),
    ("no position", "nullability_changed", "reading.position", device, put("reading.position", None)),
    ("money becomes plain", "nesting_changed", "amount", payment, put("amount", lambda was, _: was["value"])),
    ("an agent becomes an object", "nesting_changed", "agent", click, put("agent", lambda was, _: {"name": was, "major": 12})),
    ("a party becomes an array", "nesting_changed", "parties.payee", payment, put("parties.payee", lambda was, _: [was])),
    ("hops move into an object", "nesting_changed", "uplink.hops", device, rename("uplink.hops", "device.hops")),
    ("channels become a map", "nesting_changed", "reading.channels", device, put("reading.channels", lambda was, _: {it["name"]: it["stats"] for it in was})),
    ("camel case becomes snake case", "renamed", "valueTime", payment, rename("valueTime", "value_time")),
    ("a nested object has another name", "renamed", "uplink", device, rename("uplink", "radio_link")),
    ("a flag has a longer name", "renamed", "flags.sca", payment, rename("flags.sca", "flags.scaDone")),
    ("words have quite another name", "renamed", "variant", click, rename("variant", "experiment_arm")),
    ("a number has quite another name", "renamed", "reading.battery.mv", device, rename("reading.battery.mv", "reading.battery.level")),
    ("addresses have quite another name", "renamed", "ip", click, rename("ip", "host")),
    ("a field of channels has another name", "renamed", "reading.channels[].samples", device, each("reading.channels", rename("samples", "sample_values"))),
    ("one more channel", "enum_added", "channel", payment, put("channel", "atm")),
    ("one more currency", "enum_added", "amount.currency", payment, put("amount.currency", "CHF")),
    ("one more kind of part", "enum_added", "splits[].kind", payment, each("splits", put("kind", "fee"))),
    ("a new firmware", "enum_added", "device.firmware.version", device, put("device.firmware.version", "4.3.0")),
    ("one more agent", "enum_added", "agent", click, put("agent", "brave")),
    ("a day is written the American way", "format_changed", "bookedOn", payment, put("bookedOn", lambda was, _: f"{was[5:7]}/{was[8:10]}/{was[:4]}")),
    ("a day becomes a time", "format_changed", "bookedOn", payment, put("bookedOn", lambda was, _: f"{was}T00:00:00Z")),
    ("a space becomes a T", "format_changed", "reading.at", device, put("reading.at", lambda was, _: f"{was.replace(' ', 'T')}Z")),
    ("a time becomes a number in text", "format_changed", "ts", click, put("ts", lambda _, chance: str(1_780_000_000 + chance.randrange(10**6)))),
    ("a hash becomes a UUID", "format_changed", "session", click, put("session", lambda was, _: str(UUID(was)))),
    ("an address becomes a host name", "format_changed", "ip", click, put("ip", lambda _, chance: f"host-{chance.randrange(5_000)}.internal")),
    ("a link becomes a path", "format_changed", "url", click, put("url", lambda was, _: was.removeprefix("https://shop.example"))),
    ("a mail address becomes a team", "format_changed", "owner", device, put("owner", lambda _, chance: f"the team {chance.randrange(900)}")),
    ("seconds become milliseconds", "unit_changed", "valueTime", payment, put("valueTime", lambda was, _: was * 1000)),
    ("millivolts become volts", "unit_changed", "reading.battery.mv", device, put("reading.battery.mv", lambda was, _: was / 1000)),
    ("fees in cents", "unit_changed", "amount.fee", payment, put("amount.fee", lambda was, _: was * 100)),
    ("a score from 0 to 10", "unit_changed", "score", click, put("score", lambda was, _: round(was * 10, 3))),
    ("metres become millimetres", "unit_changed", "reading.position.alt_m", device, put("reading.position.alt_m", lambda was, _: was * 1000)),
    ("means of channels in thousandths", "unit_changed", "reading.channels[].stats.mean", device, each("reading.channels", put("stats.mean", lambda was, _: was * 1000))),
)  # fmt: skip
"""Each comes at every one of `SHARES`."""


def _next_version(record: Record, chance: random.Random) -> None:
    """A new version of a click."""
    rename("is_bot", "bot")(record, chance)
    record |= {"dwell_ms": record["dwell_ms"] / 1, "consent": {"ads": True}, "schema": 2}
    record["slot"] = str(record["slot"])
    del record["width"]


def _next_device(record: Record, chance: random.Random) -> None:
    """A new version of what a device reports, all of it deep inside."""
    rename("reading.battery.mv", "reading.battery.millivolts")(record, chance)
    put("device.firmware.channel", "beta")(record, chance)
    drop("uplink.hops")(record, chance)


MIX: Final = Expected("version_mix", "")
ALONE: Final = (
    *(Scenario("another version of clicks", MIX, share, click, _next_version) for share in (0.6, 0.1, 0.01)),
    *(Scenario("another version of devices", MIX, share, device, _next_device) for share in (0.6, 0.1, 0.01)),
    Scenario("clicks are rolled out", MIX, 1.0, click, _next_version, rising=True),
    Scenario("devices are rolled out in part", MIX, 0.5, device, _next_device, rising=True),
    Scenario("an optional reference vanishes", Expected("field_removed", "refundOf"), 1.0, payment, drop("refundOf")),
    Scenario("desks are often missing", Expected("null_rate_changed", "desk"), 0.5, payment, drop("desk")),
    Scenario("devices without an owner", Expected("null_rate_changed", "owner"), 0.2, device, put("owner", None)),
    Scenario("empty names", Expected("null_rate_changed", "parties.payer.name"), 0.1, payment, put("parties.payer.name", "")),
    Scenario("an agent that comes no more", Expected("enum_removed", "agent"), 1.0, click, put("agent", lambda was, _: "chrome" if was == "opera" else was)),
    Scenario("a currency that comes no more", Expected("enum_removed", "amount.currency"), 1.0, payment, put("amount.currency", lambda was, _: "EUR" if was == "GBP" else was)),
    Scenario("a kind of part that comes no more", Expected("enum_removed", "splits[].kind"), 1.0, payment, each("splits", put("kind", lambda was, _: "tax" if was == "tip" else was))),
    Scenario("payments in cents", Expected("unit_changed", "amount.value"), 1.0, payment, put("amount.value", lambda was, _: was * 100)),
    Scenario("dwelling in seconds", Expected("unit_changed", "dwell_ms"), 1.0, click, put("dwell_ms", lambda was, _: max(1, round(was / 1000)))),
    Scenario("risk twice as high", Expected("distribution_changed", "risk"), 1.0, payment, put("risk", lambda was, _: min(1.0, was * 2))),
    Scenario("half of the scores are a default", Expected("distribution_changed", "score"), 0.5, click, put("score", 0.1)),
    Scenario("a sagging battery", Expected("distribution_changed", "reading.battery.mv"), 1.0, device, put("reading.battery.mv", lambda was, _: was - 80)),
    Scenario("a jittery altitude", Expected("distribution_changed", "reading.position.alt_m"), 1.0, device, put("reading.position.alt_m", lambda was, chance: round(was + chance.gauss(0, 6), 1))),
    Scenario("larger parts", Expected("distribution_changed", "splits[].part"), 1.0, payment, each("splits", put("part", lambda was, _: round(was**0.4, 3)))),
)  # fmt: skip
"""Changes that there are at one share only."""


def _alone(name: str, value: Any) -> Ordinary:
    """Records of which one field is of interest, beside a constant and a number that counts."""
    return lambda number, chance: {"source": "meter", "n": number, name: value(number, chance)}


def _swinging(level: float, pull: float, noise: float) -> Any:
    """A value that wanders and is pulled back, as it stands at each number of a fixed walk."""
    walk, chance = [level], random.Random(f"{level}/{pull}/{noise}")
    for _ in range(20_000):
        walk.append(walk[-1] + pull * (level - walk[-1]) + chance.gauss(0, noise))
    return lambda number, _: round(walk[number], 3)


def _events(_number: int, chance: random.Random) -> Record:
    """Four types of events in one topic, each with fields of its own."""
    kind = chance.choices(["view", "buy", "rate", "ban"], [60, 30, 9.7, 0.3])[0]
    own: dict[str, Record] = {
        "view": {"page": f"/p/{chance.randrange(300)}", "ms": chance.randrange(5_000)},
        "buy": {"basket": [{"sku": chance.randrange(99), "n": 1}], "sum": round(chance.lognormvariate(3, 1), 2)},
        "rate": {"stars": chance.randrange(1, 6), "text": None if chance.random() < 0.7 else "good"},
        "ban": {"by": "admin", "until": "2027-01-01"},
    }  # fmt: skip
    return {"type": kind, "user": chance.randrange(10**6), **own[kind]}


def _settings(_number: int, chance: random.Random) -> Record:
    names = [f"feature.{a}{b}" for a in "abcdefghij" for b in range(30)]
    return {
        "host": f"h{chance.randrange(20)}",
        "flags": {it: chance.random() < 0.5 for it in chance.sample(names, 8)},
    }


HARMLESS: Final[tuple[Quiet, ...]] = (
    ("payments as ever", payment, nothing),
    ("clicks as ever", click, nothing),
    ("devices as ever", device, nothing),
    ("several types of events", _events, nothing),
    ("flags of features", _settings, nothing),
    ("payments in another order of fields", payment, shuffle),
    ("devices in another order of fields", device, shuffle),
    ("no memo any more", payment, put("memo", None)),
    ("always a memo", payment, put("memo", "invoice 17")),
    ("fewer referrers", click, put("referrer", lambda was, chance: None if chance.random() < 0.6 else was)),
    ("three times as many devices without an owner", device, put("owner", lambda was, chance: None if chance.random() < 0.02 else was)),
    ("more refunds", payment, lambda it, chance: it.update(refundOf=7_000_000_001) if chance.random() < 0.3 else None),
    ("fewer desks", payment, lambda it, chance: it.pop("desk", None) if chance.random() < 0.04 else None),
    ("a desk in every payment", payment, put("desk", lambda was, chance: was or chance.randrange(1, 40))),
    ("no city any more", payment, put("parties.payer.bank.city", None)),
    ("more attempts", payment, put("attempts", lambda was, _: was * 15)),
    ("attempts without codes", payment, put("attempts", [[]])),
    ("many parts", payment, lambda it, _: it.update(splits=it["splits"] * 5)),
    ("no parts", payment, put("splits", [])),
    ("a fault in every reading", device, put("faults", [{"code": 12, "text": "low"}])),
    ("no faults", device, put("faults", [])),
    ("one channel only, at times", device, lambda it, chance: it["reading"].update(channels=it["reading"]["channels"][:1]) if chance.random() < 0.2 else None),
    ("whole millivolts with a point", device, put("reading.battery.mv", lambda was, _: float(was))),
    ("whole altitudes", device, put("reading.position.alt_m", lambda was, _: round(was))),
    ("whole sums of money", payment, put("amount.value", lambda was, _: int(was) + 1)),
    ("sums of money with more digits", payment, put("amount.value", lambda was, chance: was + chance.random() / 1000)),
    ("large numbers with an exponent", _alone("mass", lambda _, chance: chance.lognormvariate(60, 3)), nothing),
    ("other accounts with a limit", payment, put("limits", lambda _, chance: {f"acct{chance.randrange(10**5, 10**6)}": chance.randrange(100)})),
    ("ids of another kind as keys", payment, put("limits", lambda _, chance: {str(UUID(int=chance.getrandbits(128), version=4)): chance.randrange(100)})),
    ("limits for none", payment, put("limits", {})),
    ("limits for a hundred", payment, put("limits", lambda _, chance: {f"acct{n:04}": chance.randrange(100) for n in range(100)})),
    ("more robots", click, put("is_bot", lambda was, chance: was or chance.random() < 0.05)),
    ("the variants are no longer even", click, put("variant", lambda was, chance: "A" if chance.random() < 0.6 else was)),
    ("one language above all", click, put("lang", lambda was, chance: "de-DE" if chance.random() < 0.8 else was)),
    ("links to another shop", click, put("url", lambda _, chance: f"https://outlet.example/{chance.randrange(10**6)}?ref=1")),
    ("addresses of another network", click, put("ip", lambda _, chance: f"192.168.{chance.randrange(256)}.{chance.randrange(256)}")),
    ("a little longer on a page", click, put("dwell_ms", lambda was, _: int(was * 1.15))),
    ("a few very long visits", click, put("dwell_ms", lambda was, chance: was * 1000 if chance.random() < 0.0005 else was)),
    ("serials that were not there before", device, put("device.serial", lambda _, chance: f"SN-{chance.randrange(900, 1800):06}")),
    ("one odd reference in four thousand", payment, lambda it, chance: it.update(ref="?") if chance.random() < 0.00025 else None),
    ("one debug field in six thousand", click, lambda it, chance: it.update(trace={"hops": 3}) if chance.random() < 0.00017 else None),
    ("a value that wanders", _alone("level", _swinging(50, 0.01, 0.5)), nothing),
    ("a value that wanders far", _alone("level", _swinging(5, 0.002, 0.1)), nothing),
    ("a day's rhythm", _alone("load", lambda number, chance: chance.gauss(100 + 60 * math.sin(number / 1100), 8)), nothing),
    ("two levels that take turns", _alone("load", lambda number, chance: chance.gauss(20 if number // 90 % 2 else 70, 2)), nothing),
    ("zero but in bursts", _alone("dropped", lambda number, chance: chance.randrange(1, 60) if number // 200 % 5 == 2 else 0), nothing),
    ("counters that restart", _alone("total", lambda number, _: 17 * (number % 1_700)), nothing),
    ("a counter from a large number", _alone("total", lambda number, _: 8_800_000_000 + 5 * number), nothing),
    ("numbers beyond 2^53", _alone("id", lambda number, chance: (1_780_000_000_000 + number) << 22 | chance.getrandbits(22)), nothing),
    ("a sum of both signs", _alone("balance", lambda _, chance: round(chance.gauss(0, 300), 2)), nothing),
    ("very heavy tails of both signs", _alone("return", lambda _, chance: round(math.tan(3.1 * (chance.random() - 0.5)), 4)), nothing),
    ("a day that goes on", _alone("day", lambda number, _: f"2026-{1 + number // 700 // 28 % 12:02}-{1 + number // 700 % 28:02}"), nothing),
    ("an hour as a partition", _alone("part", lambda number, _: f"dt=2026-05-{1 + number // 900:02}/h={number // 37 % 24:02}"), nothing),
    ("versions that follow each other", _alone("release", lambda number, chance: f"r{number // 350 - chance.randrange(2)}"), nothing),
    ("levels of a log", _alone("level", lambda _, chance: chance.choices(["INFO", "DEBUG", "WARN", "ERROR", "FATAL"], [900, 80, 15, 4, 0.4])[0]), nothing),
    ("messages of a log", _alone("message", lambda _, chance: f"took {chance.randrange(900)} ms" if chance.random() < 0.995 else chance.choice(["{}", "http://x.example", "10.0.0.1", "0"])), nothing),
    ("numbers as text, some with zeros before", _alone("code", lambda _, chance: f"{chance.randrange(1000):03}" if chance.random() < 0.5 else str(chance.randrange(1000))), nothing),
    ("text or number", _alone("value", lambda _, chance: chance.choice([1, 2.5, "n/a", None, True])), nothing),
    ("objects or null", _alone("geo", lambda _, chance: None if chance.random() < 0.5 else {"x": 1, "y": None if chance.random() < 0.1 else 2}), nothing),
    ("words by day and others by night", _alone("shift", lambda number, chance: chance.choice(["early", "late"]) if number // 450 % 3 else "night"), nothing),
)  # fmt: skip

CORPUS: Final = corpus(CHANGES, ALONE, HARMLESS)
