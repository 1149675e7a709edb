"""check_onnx.py DIRECTORY: each NAME.onnx there passes ONNX's own checks and
computes NAME.z.npy and NAME.mean.npy from NAME.x.npy; or NAME.csv, the means
as the command predicts them."""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnx_numpy

# Roundings of 6e-8 in single precision: sums of at most 252 terms, a few
# layers, none of which magnifies an error by much more than 1. In double
# precision both round.
TOLERANCE = {onnx.TensorProto.FLOAT: 1e-5, onnx.TensorProto.DOUBLE: 1e-13}

# Families whose mean is not in the graph.
WITHOUT_MEAN = {"gumbel", "lognormal", "vonmises", "weibull"}


def compare(got, wanted, tolerance):
    if got.shape != wanted.shape:
        return f"the shape is {got.shape} instead of {wanted.shape}"
    error = np.abs(got - wanted) / (1 + np.abs(wanted))
    # Not "error > ...", which a NaN would pass.
    return "" if (error <= tolerance).all() else f"the error is {error.max()}"


def expected(path):
    """What there is to compare with, by the output's name."""
    table = path.with_suffix(".csv")
    if table.exists():
        # The last column is the likeliest class.
        rows = [line.split(",")[:-1]
                for line in table.read_text().splitlines()[1:]]
        return {"mean": np.array(rows, dtype=float)}
    return {name: np.load(path.with_suffix(f".{name}.npy"))
            for name in ("z", "mean")}


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    metadata = {p.key: p.value for p in model.metadata_props}
    family = metadata["family"]
    if "targets" not in json.loads(metadata["coding"]):
        return "the metadata do not say how the inputs are coded"
    x = np.load(path.with_suffix(".x.npy"))
    kind = model.graph.input[0].type.tensor_type
    if len(kind.shape.dim) == 2:
        x = x.reshape(len(x), -1)
    outputs = onnx_numpy.run(model, x)
    if set(outputs) != ({"z"} if family in WITHOUT_MEAN else {"z", "mean"}):
        return f"the outputs are {sorted(outputs)}"
    for name, wanted in expected(path).items():
        complaint = name in outputs and compare(outputs[name], wanted,
                                                TOLERANCE[kind.elem_type])
        if complaint:
            return f"{name}: {complaint}"
    return ""


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    failed = not paths
    for path in paths:
        try:
            complaint = check(path)
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        failed |= bool(complaint)
        print(f"{'not ok' if complaint else 'ok'} onnx {path.stem}")
        if complaint:
            print("    " + complaint.replace("\n", "\n    "))
    return failed


if __name__ == "__main__":
    sys.exit(main())
