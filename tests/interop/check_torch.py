"""check_torch.py DIRECTORY: each NAME.safetensors there loads, names and shapes
as they are, into the torch.nn.Sequential that its metadata describes, which
then computes NAME.z.npy from NAME.x.npy; or the classes' probabilities of
NAME.csv, as the command predicts them."""

import json
import math
import pathlib
import sys

import numpy as np
import torch
from torch import nn

# As in check_onnx.py.
TOLERANCE = {"single": 1e-5, "double": 1e-13}

DTYPES = {"F32": torch.float32, "F64": torch.float64}

ACTIVATIONS = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


class Residual(nn.Sequential):
    def forward(self, x):
        y = super().forward(x)
        # What is inside may flatten an image of one position.
        return x.reshape(y.shape) + y


def load(path):
    """State and metadata of a safetensors file."""
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    metadata = json.loads(header.pop("__metadata__")["natgrad"])
    try:
        from safetensors.torch import load_file
        return load_file(path), metadata
    except ImportError:
        pass
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = torch.frombuffer(data, dtype=DTYPES[entry["dtype"]],
                                  offset=8 + size + begin,
                                  count=math.prod(entry["shape"]))
        assert values.numel() * values.element_size() == end - begin
        state[name] = values.reshape(entry["shape"])
    return state, metadata


class Builder:
    """Follows the shape of a value: [channels], or [channels, rows, columns]
    for an image."""

    def __init__(self, shape):
        self.shape = shape

    def dense(self, item):
        before = [nn.Flatten()] if len(self.shape) > 1 else []
        inputs = math.prod(self.shape)
        self.shape = [item["outputs"]]
        return before + [nn.Linear(inputs, item["outputs"])]

    def slide(self, item, channels):
        self.shape = [channels] + [
            (size + 2 * padding - kernel) // stride + 1
            for size, kernel, stride, padding in zip(
                self.shape[1:], item["kernel"], item["stride"],
                item["padding"])]
        return item["kernel"], item["stride"], item["padding"]

    def conv(self, item):
        inputs, outputs = self.shape[0], item["channels"]
        kernel, stride, padding = self.slide(item, outputs)
        return [nn.Conv2d(inputs, outputs, kernel, stride, padding,
                          groups=item["groups"])]

    def max_pool(self, item):
        return [nn.MaxPool2d(*self.slide(item, self.shape[0]))]

    def average_pool(self, item):
        return [nn.AvgPool2d(*self.slide(item, self.shape[0]))]

    def flatten(self, _):
        if len(self.shape) == 1:
            return []
        self.shape = [math.prod(self.shape)]
        return [nn.Flatten()]

    def layer_norm(self, _):
        return [nn.LayerNorm(self.shape)]

    def embedding(self, item):
        self.shape = [self.shape[0] * item["size"]]
        return [nn.Embedding(item["vocabulary"], item["size"]), nn.Flatten()]

    def residual(self, item):
        return [Residual(*self.modules(item["layers"]))]

    def activation(self, item):
        return []  # what is named by "activation", as behind any layer

    def modules(self, items):
        made = []
        for item in items:
            make = getattr(self, item["layer"].replace("-", "_"))
            made += make(item)
            name = item.get("activation", "identity")
            if name == "leaky-relu":
                made.append(nn.LeakyReLU(item["slope"]))
            elif name != "identity":
                made.append(ACTIVATIONS[name]())
        return made


def begins_flat(items):
    """Whether an image is a row of pixels from the start."""
    while items and items[0]["layer"] == "residual":
        items = items[0]["layers"]
    return not items or items[0]["layer"] in ("dense", "flatten")


def build(metadata, outputs):
    """The layers, and the dense one that the family asks for."""
    network, items = metadata["network"], metadata["architecture"]
    shape = network["input"]
    if shape[1:] == [1, 1] or begins_flat(items):
        shape = [math.prod(shape)]
    last = {"layer": "dense", "outputs": outputs}
    return nn.Sequential(*Builder(shape).modules(items + [last])), shape


def expected(path):
    """What there is to compare with, and what makes it of z."""
    table = path.with_suffix(".csv")
    if table.exists():
        # The last column is the likeliest class.
        rows = [[float(cell) for cell in line.split(",")[:-1]]
                for line in table.read_text().splitlines()[1:]]
        return torch.tensor(rows, dtype=torch.float64), nn.Softmax(dim=1)
    return torch.from_numpy(np.load(path.with_suffix(".z.npy"))), nn.Identity()


def check(path):
    state, metadata = load(path)
    wanted, finish = expected(path)
    x = torch.from_numpy(np.load(path.with_suffix(".x.npy")))
    model, shape = build(metadata, wanted.shape[1])
    model.double().load_state_dict(state, strict=True)
    x = x.reshape(-1, *shape)
    embeds = isinstance(model[0], nn.Embedding)
    with torch.no_grad():
        got = finish(model(x.long() if embeds else x.double()))
    if got.shape != wanted.shape:
        return f"the shape is {tuple(got.shape)}, not {tuple(wanted.shape)}"
    error = ((got - wanted).abs() / (1 + wanted.abs())).max().item()
    tolerance = TOLERANCE[metadata["network"]["precision"]]
    # Not "error > ...", which a NaN would pass.
    return "" if error <= tolerance else f"the error is {error}"


def main():
    torch.set_num_threads(1)
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.safetensors"))
    failed = not paths
    for path in paths:
        try:
            complaint = check(path)
        except Exception as error:
            complaint = f"{type(error).__name__}: {error}"
        failed |= bool(complaint)
        print(f"{'not ok' if complaint else 'ok'} torch {path.stem}")
        if complaint:
            print("    " + complaint.replace("\n", "\n    "))
    return failed


if __name__ == "__main__":
    sys.exit(main())
