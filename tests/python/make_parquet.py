#!/usr/bin/env python3
"""Writes tests/fixtures/parquet anew, with pyarrow and nothing of Esper.

all_types.parquet has a column of each kind that is read, two that are not and an index as pandas
stores it; all_types.csv is what pandas.DataFrame.to_csv(index=False) makes of the columns that are
read. ten_million_rows.parquet holds two numbers ten million times each, which run lengths pack
into little.
"""

import csv
import datetime as dt
import decimal
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "parquet"
ROWS = 60


def columns():
    draw = random.Random(5)
    days = [dt.datetime(2024, 2, 27) + dt.timedelta(days=i % 4) for i in range(ROWS)]
    some = [None if i % 7 == 3 else i for i in range(ROWS)]
    return {
        "double": pa.array([None if i is None else draw.gauss(0, 1e5) for i in some]),
        "float": pa.array([draw.gauss(0, 1) for _ in range(ROWS)], pa.float32()),
        "byte": pa.array([i % 256 - 128 for i in range(ROWS)], pa.int8()),
        "whole": pa.array([-(10 ** 15) + i * i for i in range(ROWS)], pa.int64()),
        "unsigned": pa.array([2 ** 63 + 2 ** 40 * (i % 5) for i in range(ROWS)], pa.uint64()),
        "decimal": pa.array([decimal.Decimal(i * i) / 100 for i in range(ROWS)],
                            pa.decimal128(9, 2)),
        "bool": pa.array([None if i is None else i % 3 == 0 for i in some]),
        "day": pa.array(days, pa.timestamp("ns")),
        "moment": pa.array([day + dt.timedelta(minutes=7 * (i % 3)) for i, day in enumerate(days)],
                           pa.timestamp("us")),
        "date": pa.array([day.date() for day in days]),
        "nothing": pa.nulls(ROWS),
        "category": pa.array([("low", None, "high")[i % 3] for i in range(ROWS)]
                             ).dictionary_encode(),
        "text": pa.array([("a, b", 'say "so"', "übrig", "NA", "")[i % 5] for i in range(ROWS)]),
        "kind": pa.array([("iris", "rose")[i % 2] for i in range(ROWS)]),
    }


def text(value):
    return "" if value is None else str(value)


def as_csv(name, array):
    if name == "float":
        return [str(v) for v in array.to_numpy(zero_copy_only=False)]
    cells = [text(v) for v in array.to_pylist()]
    return [cell[:10] for cell in cells] if name == "day" else cells


def main():
    FOLDER.mkdir(exist_ok=True)
    read = columns()
    table = pa.table(read)
    table = table.add_column(3, "points", pa.array([[i, i + 1] for i in range(ROWS)]))
    table = table.add_column(7, "origin", pa.array([{"x": i} for i in range(ROWS)]))
    table = table.append_column("__index_level_0__", pa.array([5 * i for i in range(ROWS)]))
    pq.write_table(table, FOLDER / "all_types.parquet", row_group_size=25)
    with open(FOLDER / "all_types.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(read)
        writer.writerows(zip(*(as_csv(name, array) for name, array in read.items())))
    part = pa.table({"a": pa.array([7] * 10_000_000, pa.int8()),
                     "b": pa.array([8] * 10_000_000, pa.int8())})
    pq.write_table(part, FOLDER / "ten_million_rows.parquet", row_group_size=len(part),
                   compression="zstd", max_rows_per_page=len(part), data_page_size=1 << 30)


if __name__ == "__main__":
    main()
