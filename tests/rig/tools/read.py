"""Reads one Iceberg table from its metadata file with one engine, and writes its columns and rows as JSON.

Arguments: the engine (duckdb, pyiceberg, polars, or all to check that they are there), the metadata file's address or that of a single Parquet
file, and optionally a snapshot's number. Or, instead of the address, `--batch` and a file with a JSON list of such pairs, for a list of answers. A store is reached as AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION say.

Or `--filters` and JSON with the metadata file's address and filters, each a list of a column, an operator and a value: for each, the number of
rows that it finds and of the files that they are read from, or null.

Or `--catalog` and JSON with the endpoint of an Iceberg REST catalog, a token, a namespace, a table and a snapshot's number.

Values keep their kind: null, true, false, integers and texts as they are, a double as {"real": its shortest exact text}, bytes as
{"hex": digits}.
"""

import json
import os
import sys


def encode(value):
    if isinstance(value, float):
        return {"real": repr(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"hex": bytes(value).hex()}
    return value


def decode(value):
    if isinstance(value, dict):
        return float(value["real"]) if "real" in value else bytes.fromhex(value["hex"])
    return value


def load_extensions(connection):
    """Loads DuckDB's extensions from Python packages."""
    import importlib

    import duckdb

    for name in ("avro", "httpfs", "iceberg"):
        folder = os.path.dirname(importlib.import_module(f"duckdb_extension_{name}").__file__)
        file = os.path.join(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    return connection


def duckdb_connection():
    import duckdb

    return load_extensions(duckdb.connect())


def read_with_duckdb(metadata, snapshot):
    # A connection of its own for each read: an internal error of the engine spoils it for good.
    connection = duckdb_with_store()
    at = f", snapshot_from_id => {int(snapshot)}" if snapshot else ""
    source = "read_parquet" if metadata.endswith(".parquet") else "iceberg_scan"
    result = connection.execute(f"SELECT * FROM {source}('{metadata}'{at})")
    columns = [column[0] for column in result.description]
    return columns, result.fetchall()


def read_with_pyiceberg(metadata, snapshot):
    if metadata.endswith(".parquet"):
        import pyarrow.parquet

        return rows_of(pyarrow.parquet.ParquetFile(metadata).read())
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(metadata, store_properties())
    return rows_of(table.scan(snapshot_id=int(snapshot) if snapshot else None).to_arrow())


def store_properties():
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return {}
    return {
        "s3.endpoint": endpoint,
        "s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"],
        "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "s3.region": os.environ.get("AWS_REGION", "us-east-1"),
    }


def read_with_polars(metadata, snapshot):
    """By the reader of polars itself, which refuses what it can't read; the other one is PyIceberg's."""
    import polars

    if metadata.endswith(".parquet"):
        return rows_of(polars.read_parquet(metadata).to_arrow())
    table = polars.scan_iceberg(
        metadata,
        snapshot_id=int(snapshot) if snapshot else None,
        storage_options=store_properties() or None,
        reader_override="native",
    )
    return rows_of(table.collect().to_arrow())


def duckdb_with_store():
    connection = duckdb_connection()
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        secret = {
            "KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
            "SECRET": os.environ["AWS_SECRET_ACCESS_KEY"],
            "REGION": os.environ.get("AWS_REGION", "us-east-1"),
            "ENDPOINT": endpoint.split("://", 1)[1],
            "URL_STYLE": "path",
            "USE_SSL": str(endpoint.startswith("https")).lower(),
        }
        options = ", ".join(f"{name} '{value}'" for name, value in secret.items())
        connection.execute(f"CREATE SECRET (TYPE s3, {options})")
    return connection


def catalog_with_duckdb(endpoint, token, namespace, table, snapshot):
    connection = duckdb_with_store()
    access = "AUTHORIZATION_TYPE 'none'"
    if token:
        connection.execute(f"CREATE SECRET catalog (TYPE iceberg, TOKEN '{token}')")
        access = "SECRET catalog"
    connection.execute(f"ATTACH '' AS dotdo (TYPE iceberg, ENDPOINT '{endpoint}', {access})")
    at = f" AT (VERSION => {int(snapshot)})" if snapshot else ""
    result = connection.execute(f'SELECT * FROM dotdo."{".".join(namespace)}"."{table}"{at}')
    return [column[0] for column in result.description], result.fetchall()


def catalog_table(endpoint, token, namespace, table):
    from pyiceberg.catalog.rest import RestCatalog

    properties = {"uri": endpoint, **store_properties()}
    if token:
        properties["token"] = token
    return RestCatalog("dotdo", **properties).load_table((*namespace, table))


def snapshot_of(found, snapshot):
    """The id of a snapshot that is named by its id or by a tag."""
    return found.snapshot_by_name(snapshot).snapshot_id if isinstance(snapshot, str) else snapshot


def catalog_with_pyiceberg(endpoint, token, namespace, table, snapshot):
    found = catalog_table(endpoint, token, namespace, table)
    return rows_of(found.scan(snapshot_id=snapshot_of(found, snapshot)).to_arrow())


def catalog_with_polars(endpoint, token, namespace, table, snapshot):
    import polars

    found = catalog_table(endpoint, token, namespace, table)
    options = store_properties() or None
    scan = polars.scan_iceberg(found, snapshot_id=snapshot_of(found, snapshot), storage_options=options, reader_override="native")
    return rows_of(scan.collect().to_arrow())


def filter_with_duckdb(metadata, filters):
    connection = duckdb_connection()
    count = f"SELECT count(*) FROM iceberg_scan('{metadata}') WHERE"
    # Literals, because a parameter is not known when the engine chooses files.
    return [[connection.execute(f'{count} "{column}" {operator} {literal(value)}').fetchone()[0], None] for column, operator, value in filters]


def literal(value):
    if isinstance(value, bytes):
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
    if isinstance(value, float):
        return f"'{value!r}'::DOUBLE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def filter_with_pyiceberg(metadata, filters):
    from pyiceberg.expressions import EqualTo, GreaterThanOrEqual, LessThan
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(metadata)
    operators = {"=": EqualTo, "<": LessThan, ">=": GreaterThanOrEqual}
    scans = [table.scan(row_filter=operators[operator](column, value)) for column, operator, value in filters]
    return [[scan.to_arrow().num_rows, len(list(scan.plan_files()))] for scan in scans]


def filter_with_polars(metadata, filters):
    import operator as compare

    import polars

    operators = {"=": compare.eq, "<": compare.lt, ">=": compare.ge}
    counts = []
    for column, operator, value in filters:
        table = polars.scan_iceberg(metadata, reader_override="native")
        found = table.filter(operators[operator](polars.col(column), polars.lit(value)))
        counts.append([found.collect().height, None])
    return counts


def rows_of(arrow):
    return arrow.column_names, list(zip(*[column.to_pylist() for column in arrow.columns]))


def main(engine, metadata=None, snapshot=None):
    if engine == "all":
        import polars
        import pyiceberg

        duckdb_connection()
        return {"pyiceberg": pyiceberg.__version__, "polars": polars.__version__}
    read = {"duckdb": read_with_duckdb, "pyiceberg": read_with_pyiceberg, "polars": read_with_polars}[engine]
    if metadata == "--catalog":
        through = {"duckdb": catalog_with_duckdb, "pyiceberg": catalog_with_pyiceberg, "polars": catalog_with_polars}
        return encoded(*through[engine](**json.loads(snapshot)))
    if metadata == "--filters":
        count = {"duckdb": filter_with_duckdb, "pyiceberg": filter_with_pyiceberg, "polars": filter_with_polars}[engine]
        wanted = json.loads(snapshot)
        filters = [(column, operator, decode(value)) for column, operator, value in wanted["filters"]]
        return count(wanted["metadata"], filters)
    if metadata == "--batch":
        with open(snapshot) as batch:
            return [answer(read, *pair) for pair in json.load(batch)]
    return answer(read, metadata, snapshot)


def answer(read, metadata, snapshot):
    return encoded(*read(metadata, snapshot))


def encoded(columns, rows):
    return {"columns": columns, "rows": [[encode(value) for value in row] for row in rows]}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
