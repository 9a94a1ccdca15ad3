"""The corpus of schema changes: orders and readings in which the schema changes once, and streams in which it does not.

The detectors were tuned on it.
"""

import math
import random
from collections.abc import Callable
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


def order(number: int, chance: random.Random) -> Record:
    """An order: nested, with arrays, an optional field, a nullable one, and a map."""
    record: Record = {
        "order_id": 100_000 + number,
        "created_at": f"2026-03-{1 + number % 28:02}T10:{number % 60:02}:00Z",
        "status": chance.choice(["new", "paid", "paid", "sent"]),
        "trace": str(UUID(int=chance.getrandbits(128), version=4)),
        "customer": {
            "id": chance.randrange(10_000),
            "email": f"c{chance.randrange(10_000)}@example.org",
            "address": {"street": "Main Street 1", "zip": f"{chance.randrange(100_000):05}", "country": chance.choice(["de", "fr"])},
        },
        "items": [_item(chance) for _ in range(chance.randrange(1, 4))],
        "total": round(chance.lognormvariate(3.5, 0.8), 2),
        "tax_rate": chance.choice([0.07, 0.19]),
        "paid": chance.random() < 0.5,
        "fax": None if chance.random() < 0.01 else f"0{chance.randrange(10**6)}",
        "sent_at": 1_780_000_000_000 + 50 * number + chance.randrange(40),
        "wait_s": round(chance.gauss(240, 30), 1),
        "note": chance.choice([None, None, "gift"]),
        "tags": ["a"] * chance.randrange(3),
        "stock": {f"warehouse_{chance.randrange(100, 999)}": {"left": chance.randrange(50)} for _ in range(2)},
    }  # fmt: skip
    if chance.random() < 0.98:
        record["shop"] = "" if chance.random() < 0.02 else f"shop {chance.randrange(1000)}"
    if chance.random() < 0.05:
        record["coupon"] = {"code": "SPRING", "percent": 10}
    return record


def _item(chance: random.Random) -> Record:
    item: Record = {
        "unit": chance.choice(["piece", "box"]),
        "sku": f"sku-{chance.randrange(500)}",
        "quantity": chance.randrange(1, 5),
        "price": chance.choice([5, 7.5, 12.25]),
    }
    if chance.random() < 0.3:
        item["discount"] = 0.5
    return item


def flat(number: int, chance: random.Random) -> Record:
    """A reading of 20 fields, as a sensor sends it."""
    return {"sensor": f"s{chance.randrange(200)}", "at": 1_780_000_000_000 + number, "ok": True, **{
        f"value_{place:02}": round(chance.gauss(place, 1), 3) if place % 2 else chance.randrange(100) for place in range(17)
    }}  # fmt: skip


CHANGES: Final[tuple[Labelled, ...]] = (
    ("a new field", "field_added", "channel", order, put("channel", "web")),
    ("a new nested field", "field_added", "customer.address.state", order, put("customer.address.state", "BE")),
    ("a new field of items", "field_added", "items[].weight", order, each("items", put("weight", 1.5))),
    ("a new object", "field_added", "shipping", order, put("shipping", {"carrier": "x", "eta": None})),
    ("a new array", "field_added", "refunds", order, put("refunds", [])),
    ("a new field of a map's values", "field_added", "stock{*}.reserved", order, lambda it, _: [v.update(reserved=1) for v in it["stock"].values()]),
    ("one more sensor value", "field_added", "value_17", flat, put("value_17", 1)),
    ("a field goes", "field_removed", "paid", order, drop("paid")),
    ("a nested field goes", "field_removed", "customer.address.zip", order, drop("customer.address.zip")),
    ("a field of items goes", "field_removed", "items[].sku", order, each("items", drop("sku"))),
    ("an object goes", "field_removed", "customer", order, drop("customer")),
    ("a sensor value goes", "field_removed", "value_03", flat, drop("value_03")),
    ("an id becomes text", "type_changed", "order_id", order, put("order_id", lambda was, _: str(was))),
    ("a number becomes text", "type_changed", "total", order, put("total", lambda was, _: f"{was:.2f}")),
    ("a flag becomes a number", "type_changed", "paid", order, put("paid", lambda was, _: int(was))),
    ("a nested id becomes text", "type_changed", "customer.id", order, put("customer.id", lambda was, _: f"c-{was}")),
    ("a quantity of items becomes text", "type_changed", "items[].quantity", order, each("items", put("quantity", lambda was, _: str(was)))),
    ("tags become numbers", "type_changed", "tags[]", order, put("tags", [1, 2])),
    ("whole numbers get fractions", "type_changed", "value_04", flat, put("value_04", lambda was, _: was + 0.5)),
    ("null where none was", "nullability_changed", "status", order, put("status", None)),
    ("nested null where none was", "nullability_changed", "customer.email", order, put("customer.email", None)),
    ("null in items", "nullability_changed", "items[].price", order, each("items", put("price", None))),
    ("an object is null", "nullability_changed", "customer.address", order, put("customer.address", None)),
    ("an object becomes text", "nesting_changed", "customer.address", order, put("customer.address", "Main Street 1, 10115")),
    ("text becomes an object", "nesting_changed", "status", order, put("status", lambda was, _: {"code": was})),
    ("an object becomes an array", "nesting_changed", "customer", order, put("customer", lambda was, _: [was])),
    ("a field has another name", "renamed", "order_id", order, rename("order_id", "orderId")),
    ("a nested field has another name", "renamed", "customer.address.zip", order, rename("customer.address.zip", "customer.address.zip_code")),
    ("an object has another name", "renamed", "customer", order, rename("customer", "client")),
    ("a field has quite another name", "renamed", "status", order, rename("status", "phase")),
    ("a field moves into an object", "nesting_changed", "paid", order, rename("paid", "customer.paid")),
    ("a new status", "enum_added", "status", order, put("status", "refunded")),
    ("a new country", "enum_added", "customer.address.country", order, put("customer.address.country", "at")),
    ("a new unit of items", "enum_added", "items[].unit", order, each("items", put("unit", "kg"))),
    ("two new statuses", "enum_added", "status", order, put("status", lambda _, chance: chance.choice(["lost", "held"]))),
    ("a date is written in another way", "format_changed", "created_at", order, put("created_at", lambda was, _: f"{was[8:10]}.{was[5:7]}.{was[:4]} 10:00")),
    ("a time loses its zone", "format_changed", "created_at", order, put("created_at", lambda was, _: was[:-1])),
    ("a UUID becomes a number", "format_changed", "trace", order, put("trace", lambda _, chance: str(chance.randrange(10**9)))),
    ("a number becomes a UUID", "format_changed", "customer.address.zip", order, put("customer.address.zip", lambda _, chance: str(UUID(int=chance.getrandbits(128), version=4)))),
    ("a mail address becomes a name", "format_changed", "customer.email", order, put("customer.email", lambda _, chance: f"user {chance.randrange(10**4)}")),
    ("milliseconds become seconds", "unit_changed", "at", flat, put("at", lambda was, _: was // 1000)),
    ("milliseconds become microseconds", "unit_changed", "sent_at", order, put("sent_at", lambda was, _: was * 1000)),
    ("a share becomes per cent", "unit_changed", "tax_rate", order, put("tax_rate", lambda was, _: was * 100)),
    ("prices of items in cents", "unit_changed", "items[].price", order, each("items", put("price", lambda was, _: was * 100))),
    ("seconds become minutes", "unit_changed", "wait_s", order, put("wait_s", lambda was, _: was / 60)),
    ("a UUID becomes a whole number", "type_changed", "trace", order, put("trace", lambda _, chance: chance.randrange(10**9))),
    ("an id becomes a UUID", "type_changed", "order_id", order, put("order_id", lambda _, chance: str(UUID(int=chance.getrandbits(128), version=4)))),
    ("whole numbers of items get fractions", "type_changed", "items[].quantity", order, each("items", put("quantity", lambda was, _: was + 0.5))),
    ("the values of a map become plain", "nesting_changed", "stock{*}", order, each_value("stock", lambda was, _: was["left"])),
    ("a number in a map becomes text", "type_changed", "stock{*}.left", order, each_value("stock", lambda was, _: {"left": str(was["left"])})),
    ("null in a map", "nullability_changed", "stock{*}.left", order, each_value("stock", lambda _was, _: {"left": None})),
    ("a field of a map's values goes", "field_removed", "stock{*}.left", order, each_value("stock", lambda _was, _: {})),
    ("a field of items has another name", "renamed", "items[].quantity", order, each("items", rename("quantity", "quantities"))),
    ("items become plain", "nesting_changed", "items[]", order, put("items", ["sku-1"])),
)  # fmt: skip
"""Each comes at every one of `SHARES`."""


def _new_version(record: Record, chance: random.Random) -> None:
    """What a new version changes: a field more, one less, one of another type, and a nested one with another name."""
    record |= {"order_id": str(record["order_id"]), "channel": "web"}
    del record["paid"]
    rename("customer.address.zip", "customer.address.postcode")(record, chance)
    if chance.random() < 0.2:
        record["gift"] = True


ALONE: Final = (
    *(
        Scenario("a new version", Expected("version_mix", ""), share, order, _new_version)
        for share in (0.5, 0.1, 0.01)
    ),
    *(
        Scenario(
            "a new version in items",
            Expected("version_mix", ""),
            share,
            order,
            each("items", lambda it, _: it.update(sku=int(it["sku"][4:]), weight=1.5)),
        )
        for share in (0.5, 0.1, 0.01)
    ),
    Scenario("a rolling deploy", Expected("version_mix", ""), 1.0, order, _new_version, rising=True),
    Scenario(
        "a rolling deploy that stops", Expected("version_mix", ""), 0.3, order, _new_version, rising=True
    ),
    Scenario(
        "an optional field of items vanishes",
        Expected("field_removed", "items[].discount"),
        1.0,
        order,
        each("items", drop("discount")),
    ),
    Scenario(
        "a country is used no more",
        Expected("enum_removed", "customer.address.country"),
        1.0,
        order,
        put("customer.address.country", "de"),
    ),
    Scenario(
        "a unit of items is used no more",
        Expected("enum_removed", "items[].unit"),
        1.0,
        order,
        each("items", put("unit", "piece")),
    ),
    Scenario("nulls where few were, all", Expected("null_rate_changed", "fax"), 1.0, order, put("fax", None)),
    Scenario("nulls where few were", Expected("null_rate_changed", "fax"), 0.1, order, put("fax", None)),
    Scenario(
        "an optional field is often missing", Expected("null_rate_changed", "shop"), 0.4, order, drop("shop")
    ),
    Scenario(
        "empty texts where few were",
        Expected("null_rate_changed", "shop"),
        0.4,
        order,
        lambda it, _: it.update(shop="") if "shop" in it else None,
    ),
    Scenario(
        "empty texts where none were",
        Expected("null_rate_changed", "customer.email"),
        0.1,
        order,
        put("customer.email", ""),
    ),
    Scenario("an optional field vanishes", Expected("field_removed", "coupon"), 1.0, order, drop("coupon")),
    Scenario(
        "a status is used no more",
        Expected("enum_removed", "status"),
        1.0,
        order,
        put("status", lambda was, _: "paid" if was == "sent" else was),
    ),
    Scenario(
        "two statuses are used no more", Expected("enum_removed", "status"), 1.0, order, put("status", "paid")
    ),
    Scenario(
        "amounts in cents",
        Expected("unit_changed", "total"),
        1.0,
        order,
        put("total", lambda was, _: was * 100),
    ),
    Scenario(
        "amounts ten times as large",
        Expected("unit_changed", "total"),
        1.0,
        order,
        put("total", lambda was, _: was * 10),
    ),
    Scenario(
        "amounts in thousands",
        Expected("unit_changed", "total"),
        1.0,
        order,
        put("total", lambda was, _: was / 1000),
    ),
    Scenario(
        "amounts twice as large",
        Expected("distribution_changed", "total"),
        1.0,
        order,
        put("total", lambda was, _: was * 2),
    ),
    Scenario(
        "half of the amounts are a default",
        Expected("distribution_changed", "total"),
        0.5,
        order,
        put("total", 9.99),
    ),
    Scenario(
        "readings that vary three times as much",
        Expected("distribution_changed", "value_05"),
        1.0,
        flat,
        put("value_05", lambda was, _: 5 + 3 * (was - 5)),
    ),
    Scenario(
        "a sensor at its limit",
        Expected("distribution_changed", "value_07"),
        1.0,
        flat,
        put("value_07", lambda was, _: min(was, 6.5)),
    ),
    Scenario(
        "a sensor a little warmer",
        Expected("distribution_changed", "value_15"),
        1.0,
        flat,
        put("value_15", lambda was, _: was + 1),
    ),
    Scenario(
        "prices of items a quarter higher",
        Expected("distribution_changed", "items[].price"),
        1.0,
        order,
        each("items", put("price", lambda was, _: was * 1.25)),
    ),
    Scenario(
        "ids a thousand times as large",
        Expected("unit_changed", "customer.id"),
        1.0,
        order,
        put("customer.id", lambda was, _: was * 1000),
    ),
)
"""Changes that there are at one share only."""


def _sparse(share: float) -> Ordinary:
    return lambda _, chance: {
        "id": 1,
        **{f"option_{place}": 1 for place in range(30) if chance.random() < share},
    }


def _words(number: int, chance: random.Random) -> Record:
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "aeiou" for c in "rstlnm"]
    return {
        "id": number,
        "counts": {words[chance.randrange(1 + min(number // 50, 239))]: 1 for _ in range(3)},
    }


def _two_versions(number: int, chance: random.Random) -> Record:
    record = order(number, chance)
    if chance.random() < 0.4:
        record |= {"version": 2, "channel": "web", "order_id": str(record["order_id"])}
    return record


def _bursts(number: int, chance: random.Random) -> Record:
    record = flat(number, chance)
    if number // 700 % 3 == 1 and chance.random() < 0.5:
        record["error"] = None if chance.random() < 0.1 else "out of range"
    return record


def _grown(name: str, value: Callable[[int, random.Random], Any]) -> Ordinary:
    return lambda number, chance: {"event": "measured", name: value(number, chance)}


def _note(_number: int, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.004:
        return chance.choice(["12", "2026-03-01", "a@example.org", "4.50"])
    return "".join(chance.choice("abc de") for _ in range(chance.randrange(30)))


HARMLESS: Final[tuple[Quiet, ...]] = (
    ("nothing, nested", order, nothing),
    ("nothing, flat", flat, nothing),
    ("more nulls where there are some", order, put("note", None)),
    ("no nulls where there were some", order, put("note", "gift")),
    ("twice as many nulls where few are", order, put("fax", lambda was, chance: None if chance.random() < 0.01 else was)),
    ("nulls in bursts", _grown("n", lambda number, chance: None if chance.random() < (0.4 if number // 300 % 4 == 1 else 0.02) else 1), nothing),
    ("only empty arrays", order, put("tags", [])),
    ("longer arrays", order, put("tags", ["a"] * 50)),
    ("arrays of no items", order, put("items", [])),
    ("fields in another order", order, shuffle),
    ("fields in another order, flat", flat, shuffle),
    ("whole numbers written with a point", flat, put("value_04", lambda was, _: float(was))),
    ("whole numbers among others", flat, put("value_03", lambda was, chance: 3 if chance.random() < 0.1 else was)),
    ("whole numbers only", order, put("total", lambda was, _: max(1, round(was)))),
    ("more of an optional field", order, put("coupon", {"code": "SPRING", "percent": 5})),
    ("more of an optional field of items", order, each("items", put("discount", 1.5))),
    ("larger values", order, put("total", lambda was, _: was * 1.3)),
    ("more of one status", order, put("status", lambda was, chance: was if chance.random() < 0.05 else "paid")),
    ("longer texts", order, put("customer.email", "x" * 200 + "@example.org")),
    ("another domain of mail addresses", order, put("customer.email", lambda _, chance: f"{chance.randrange(10**6)}@example.net")),
    ("fractions of seconds in a time", order, put("created_at", lambda was, chance: f"{was[:-1]}.{chance.randrange(1000):03}Z")),
    ("readings that vary a little more", flat, put("value_05", lambda was, _: 5 + 1.2 * (was - 5))),
    ("a few defaults in place of amounts", order, put("total", lambda was, chance: 9.99 if chance.random() < 0.1 else was)),
    ("readings with a routine", _grown("n", lambda number, chance: chance.gauss(20 + 5 * math.sin(number / 900), 1)), nothing),
    ("amounts without cents", order, put("total", lambda was, _: round(was))),
    ("a few amounts are very large", order, put("total", lambda was, chance: was * 10**5 if chance.random() < 0.0003 else was)),
    ("negative amounts", order, put("total", lambda was, chance: -was if chance.random() < 0.1 else was)),
    ("amounts of nothing", order, put("total", lambda was, chance: 0 if chance.random() < 0.3 else was)),
    ("ids that grow from 0", _grown("id", lambda number, _: number), nothing),
    ("ids that grow fast", _grown("id", lambda number, _: number * number), nothing),
    ("numbers that grow by a thousandth each ten", _grown("n", lambda number, chance: chance.gauss(1.001 ** (number / 10), 0.1)), nothing),
    ("numbers with a season of tenfold", _grown("n", lambda number, chance: 50 * 10 ** (math.sin(number / 800) / 2) * chance.lognormvariate(0, 0.3)), nothing),
    ("numbers with a short season", _grown("n", lambda number, chance: 50 * 10 ** math.sin(number / 30) * chance.lognormvariate(0, 0.3)), nothing),
    ("counts with a season", _grown("n", lambda number, chance: int(chance.gammavariate(3, 2 + 10 * (1 + math.sin(number / 1000))))), nothing),
    ("amounts with a heavy tail", _grown("n", lambda _, chance: round(chance.paretovariate(1.1), 2)), nothing),
    ("amounts with a very heavy tail", _grown("n", lambda _, chance: round(chance.paretovariate(0.5), 2)), nothing),
    ("sums that start again", _grown("n", lambda number, _: number % 2500), nothing),
    ("new categories among very many", _grown("category", lambda _, chance: f"category {int(chance.paretovariate(0.7))}"), nothing),
    ("a few words, some seldom", _grown("word", lambda _, chance: f"word {min(40, int(chance.paretovariate(0.9)))}"), nothing),
    ("sessions one after the other", _grown("session", lambda number, chance: f"session {number // 50 - chance.randrange(3)}"), nothing),
    ("hosts that come and go", _grown("host", lambda number, chance: f"host {number // 400 - chance.randrange(4)}"), nothing),
    ("words in bursts", _grown("word", lambda number, chance: ("usual", "often")[chance.randrange(2)] if number // 500 % 4 else "night"), nothing),
    ("notes that anyone writes", _grown("note", _note), nothing),
    ("short hashes", _grown("hash", lambda _, chance: f"{chance.getrandbits(32):08x}"), nothing),
    ("seasons of statuses", _grown("status", lambda number, chance: "ok" if chance.random() > 0.02 + 0.02 * math.sin(number / 500) else "failed"), nothing),
    ("other keys of a map", order, lambda it, chance: it.update(stock={f"shop_{chance.randrange(10**6)}x{chance.randrange(100, 999)}_{chance.randrange(100, 999)}": {"left": chance.randrange(50)}})),
    ("more keys of a map", order, lambda it, chance: it.update(stock={f"warehouse_{n}": {"left": chance.randrange(50)} for n in range(100, 180)})),
    ("an empty map", order, put("stock", {})),
    ("no optional field of items any more but seldom", order, each("items", lambda it, chance: it.pop("discount", None) if chance.random() < 0.9 else None)),
    ("one item each", order, lambda it, _: it.update(items=it["items"][:1])),
    ("sparse fields, a third", _sparse(0.3), nothing),
    ("sparse fields, one in thirty", _sparse(0.03), nothing),
    ("sparse fields, one in three hundred", _sparse(0.003), nothing),
    ("sparse fields, one in two thousand", _sparse(0.0005), nothing),
    ("sparse fields get denser", _sparse(0.01), lambda it, _: it.update(option_3=1)),
    ("a map of ever new words", _words, nothing),
    ("two versions all the time", _two_versions, nothing),
    ("fields that come in bursts", _bursts, nothing),
    ("one odd record in five thousand", order, lambda it, chance: it.update(order_id="x") if chance.random() < 0.0002 else None),
    ("a rare extra field, one in five thousand", flat, lambda it, chance: it.update(debug=1) if chance.random() < 0.0002 else None),
)  # fmt: skip


CORPUS: Final = corpus(CHANGES, ALONE, HARMLESS)
