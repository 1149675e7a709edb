"""ONNX graphs evaluated by NumPy, operator by operator as the ONNX standard
defines them (opset 13); in double precision whatever the graph says, so that
differences are those of the network that it is compared with."""

import math

import numpy as np
import onnx
from onnx import numpy_helper


def _attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _windows(x, a, fill):
    """Patches: batch x channels x rows x columns x kernel x kernel."""
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    rows, columns = a.get("strides", [1, 1])
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)),
               constant_values=fill)
    patches = np.lib.stride_tricks.sliding_window_view(
        x, a["kernel_shape"], axis=(2, 3))
    return patches[:, :, ::rows, ::columns]


def conv(a, x, weight, bias):
    groups = a.get("group", 1)
    each = weight.shape[0] // groups
    width = weight.shape[1]
    assert x.shape[1] == groups * width
    assert tuple(a["kernel_shape"]) == weight.shape[2:]
    patches = _windows(x, a, 0)
    parts = [np.einsum("nchwij,ocij->nohw",
                       patches[:, g * width:(g + 1) * width],
                       weight[g * each:(g + 1) * each])
             for g in range(groups)]
    return np.concatenate(parts, axis=1) + bias[:, None, None]


def average_pool(a, x):
    assert a.get("count_include_pad", 0) == 1
    return _windows(x, a, 0).mean(axis=(4, 5))


def gemm(a, x, weight, bias):
    assert x.ndim == 2
    weight = weight.T if a.get("transB", 0) else weight
    return x @ weight + bias


def softmax(a, x):
    axis = a.get("axis", -1)
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def cast(a, x):
    assert a["to"] == onnx.TensorProto.INT64
    return x.astype(np.int64)


OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "Cast": cast,
    "Conv": conv,
    "Div": lambda a, x, y: x / y,
    "Erf": lambda a, x: np.vectorize(math.erf)(x),
    "Exp": lambda a, x: np.exp(x),
    "Flatten": lambda a, x: x.reshape(
        math.prod(x.shape[:a.get("axis", 1)]), -1),
    "Gather": lambda a, x, index: np.take(x, index, axis=a.get("axis", 0)),
    "Gemm": gemm,
    "Identity": lambda a, x: x,
    "LeakyRelu": lambda a, x: np.where(x < 0, a.get("alpha", 0.01) * x, x),
    "MaxPool": lambda a, x: _windows(x, a, -np.inf).max(axis=(4, 5)),
    "Mul": lambda a, x, y: x * y,
    "Neg": lambda a, x: -x,
    "ReduceMean": lambda a, x: x.mean(axis=tuple(a["axes"]), keepdims=bool(
        a.get("keepdims", 1))),
    "Relu": lambda a, x: np.maximum(x, 0),
    "Sigmoid": lambda a, x: 1 / (1 + np.exp(-x)),
    "Softmax": softmax,
    "Softplus": lambda a, x: np.logaddexp(0, x),
    "Sqrt": lambda a, x: np.sqrt(x),
    "Sub": lambda a, x, y: x - y,
    "Tanh": lambda a, x: np.tanh(x),
}


def _value(tensor):
    array = numpy_helper.to_array(tensor)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def run(model, x):
    """All outputs of the graph, by name. Shapes are held to what the graph
    promises."""
    graph = model.graph
    values = {t.name: _value(t) for t in graph.initializer}
    assert len(graph.input) == 1
    values[graph.input[0].name] = x.astype(np.float64)
    for node in graph.node:
        inputs = [values[name] for name in node.input]
        output, = node.output
        assert output not in values, output + " is made twice"
        values[output] = OPERATORS[node.op_type](_attributes(node), *inputs)
    for info in list(graph.input) + list(graph.output):
        promised = [d.dim_value
                    for d in info.type.tensor_type.shape.dim[1:]]
        assert list(values[info.name].shape[1:]) == promised, info.name
    return {info.name: values[info.name] for info in graph.output}
