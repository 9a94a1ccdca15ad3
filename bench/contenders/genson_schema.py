"""genson: each record of a file merged into one JSON Schema. Decoding is not timed."""

import json
import sys
import time
from pathlib import Path

import genson


def main() -> None:
    records = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    builder = genson.SchemaBuilder()
    began = time.perf_counter()
    for record in records:
        builder.add_object(record)
    print(json.dumps({"records_per_s": len(records) / (time.perf_counter() - began)}))


main()
