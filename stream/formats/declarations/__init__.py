"""Declarations: what a schema says of records, compared with what they look like, a shape at a time.

Every schema is read as JSON Schema, `json_schema`; `avro` and `protobuf` turn theirs into it, `compared` tells the differences of a shape, and
`choice` says in which language a schema is.
"""
