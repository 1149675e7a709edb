"""Data of the glm bench, made and judged apart from the programs it times.

    glm_data.py make FAMILY ROWS COLUMNS DIR    X.bin (column after column),
                                                y.bin
    glm_data.py table FAMILY ROWS COLUMNS FILE  the same as one NPY or CSV,
                                                written in blocks of rows
    glm_data.py judge FAMILY ROWS COLUMNS B0,B1,...
                                                max |gradient| / n there

COLUMNS does not count the intercept.
"""

import os
import sys

import numpy as np

BLOCK = 100_000


def truth(columns, family):
    generator = np.random.default_rng(1)
    size = 1.0 if family == "binomial" else 0.5
    beta = size * generator.standard_normal(columns) / np.sqrt(columns)
    return 0.25, beta


def block(family, columns, index, rows):
    """Rows index * BLOCK and on: the same whoever asks."""
    generator = np.random.default_rng([7, index])
    intercept, beta = truth(columns, family)
    X = generator.standard_normal((rows, columns))
    eta = intercept + X @ beta
    if family == "binomial":
        y = generator.random(rows) < 1 / (1 + np.exp(-eta))
    else:
        y = generator.poisson(np.exp(eta))
    return X, y.astype(float)


def blocks(family, rows, columns):
    for index, first in enumerate(range(0, rows, BLOCK)):
        count = min(BLOCK, rows - first)
        yield first, count, *block(family, columns, index, count)


def make(family, rows, columns, directory):
    os.makedirs(directory, exist_ok=True)
    X = np.memmap(os.path.join(directory, "X.bin"), float, "w+",
                  shape=(columns, rows))
    y = np.empty(rows)
    for first, count, part, target in blocks(family, rows, columns):
        X[:, first:first + count] = part.T
        y[first:first + count] = target
    X.flush()
    y.tofile(os.path.join(directory, "y.bin"))


def table(family, rows, columns, path):
    """Features, then the target; written under another name until whole."""
    part_path = path + ".part"
    with open(part_path, "wb") as file:
        if path.endswith(".npy"):
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<f8", "fortran_order": False,
                       "shape": (rows, columns + 1)})
        else:
            names = [f"V{j + 1}" for j in range(columns + 1)]
            file.write((",".join(names) + "\n").encode())
        for _, _, X, y in blocks(family, rows, columns):
            rows_of = np.column_stack([X, y])
            if path.endswith(".npy"):
                rows_of.tofile(file)
            else:
                np.savetxt(file, rows_of, fmt=["%.9g"] * columns + ["%g"],
                           delimiter=",")
    os.rename(part_path, path)


def mean_of(family, eta):
    return np.exp(eta) if family == "poisson" else 1 / (1 + np.exp(-eta))


def gradient_norm(family, X, y, beta):
    """max |gradient| of the mean loss; X is columns x rows, beta has the
    intercept first."""
    gradient = np.zeros(len(beta))
    for first in range(0, len(y), BLOCK):
        part = X[:, first:first + BLOCK]
        eta = beta[0] + beta[1:] @ part
        residual = mean_of(family, eta) - y[first:first + BLOCK]
        gradient[0] += residual.sum()
        gradient[1:] += part @ residual
    return float(np.abs(gradient).max() / len(y))


def judge(family, rows, columns, beta):
    """Of a table's rows, made again block by block; nine digits of them
    are in a CSV."""
    beta = np.array([float(b) for b in beta.split(",")])
    gradient = np.zeros(columns + 1)
    for _, _, X, y in blocks(family, rows, columns):
        residual = mean_of(family, beta[0] + X @ beta[1:]) - y
        gradient += np.append(residual.sum(), residual @ X)
    print(np.abs(gradient).max() / rows)


def main():
    what, family, rows, columns, rest = sys.argv[1:]
    actions = {"make": make, "table": table, "judge": judge}
    actions[what](family, int(rows), int(columns), rest)


if __name__ == "__main__":
    main()
