import io

import pandas as pd

table = pd.read_csv(io.StringIO("day,city,mm\n2024-01-01,Brno,1.5\n2024-01-02,Brno,\n2024-01-01,Oslo,7\n"),
                    parse_dates=["day"])
print(table, table.dtypes, sep="\n")
print(table.groupby("city").mm.agg(["sum", "count"]))
print(table.pivot(index="day", columns="city", values="mm").interpolate().to_json(date_format="iso"))
print(pd.date_range("2024-03-30", periods=3, tz="Europe/Prague").tz_convert("UTC").tolist())
