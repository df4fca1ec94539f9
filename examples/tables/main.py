"""Reads a CSV from stdin and prints a summary of each numeric column.

    cuvette run -r requirements.txt main.py < measurements.csv
"""
import sys

import numpy as np
import pandas as pd

table = pd.read_csv(sys.stdin)
print(f"{len(table)} rows, columns: {', '.join(table.columns)}")
print(table.describe().round(3).to_string())

numeric = table.select_dtypes(include=np.number)
if numeric.shape[1] > 1:
    print("\ncorrelation")
    print(numeric.corr().round(3).to_string())
