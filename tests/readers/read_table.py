"""Prints the rows of an Iceberg table as JSON lines, as an engine sees them.

    read_table.py pyiceberg|duckdb METADATA.json [--snapshot ID] [--where COLUMN=INTEGER] [--option KEY=VALUE ...]

One line a row, an object of column name to value, sorted by text; bytes are {"base64": ...}, doubles that JSON can't carry are
{"double": "..."}. `--option` goes to PyIceberg's file system as it is, and to DuckDB as the parts of an S3 secret. The last line is
{"count": n} from a count of its own, because engines answer it from other statistics.
"""

import argparse
import base64
import json
import math
import sys


def plain(value):
    """A value that JSON carries exactly."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, float) and (not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0)):
        return {"double": repr(value)}
    return value


def read_pyiceberg(arguments):
    from pyiceberg.expressions import AlwaysTrue, EqualTo
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(arguments.metadata, properties=dict(arguments.option))
    where = EqualTo(arguments.where[0], int(arguments.where[1])) if arguments.where else AlwaysTrue()
    scan = table.scan(row_filter=where, snapshot_id=arguments.snapshot)
    return scan.to_arrow().to_pylist(), scan.count()


def read_duckdb(arguments):
    import duckdb

    connection = duckdb.connect()
    try:
        import duckdb_ext

        duckdb_ext.init(connection)
    except ImportError:  # DuckDB's own repository of extensions then.
        pass
    connection.load_extension("iceberg")
    if arguments.option:
        parts = ", ".join(f"{key} '{value}'" for key, value in arguments.option)
        connection.execute(f"CREATE SECRET (TYPE s3, {parts})")
    snapshot = f", snapshot_from_id = {arguments.snapshot}" if arguments.snapshot else ""
    source = f"iceberg_scan('{arguments.metadata}'{snapshot})"
    if arguments.where:
        source += ' WHERE "{}" = {}'.format(arguments.where[0].replace('"', '""'), int(arguments.where[1]))
    answer = connection.execute(f"SELECT * FROM {source}")
    names = [column[0] for column in answer.description]
    rows = [dict(zip(names, row)) for row in answer.fetchall()]
    return rows, connection.execute(f"SELECT count(*) FROM {source}").fetchone()[0]


def pair(text):
    key, _, value = text.partition("=")
    return key, value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=["pyiceberg", "duckdb"])
    parser.add_argument("metadata")
    parser.add_argument("--snapshot", type=int)
    parser.add_argument("--where", type=pair)
    parser.add_argument("--option", type=pair, action="append", default=[])
    arguments = parser.parse_args()
    rows, count = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}[arguments.reader](arguments)
    lines = [json.dumps({name: plain(value) for name, value in row.items()}, ensure_ascii=False, sort_keys=True) for row in rows]
    for line in sorted(lines):
        print(line)
    print(json.dumps({"count": count}))


if __name__ == "__main__":
    sys.exit(main())
