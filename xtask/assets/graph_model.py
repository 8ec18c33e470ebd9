"""What the converters of this folder share: TensorFlow.js graph models in, ONNX graphs out.

numpy and onnx are all they need: every TensorFlow node is either folded to a constant here or has a
direct ONNX counterpart. The result is the same, byte for byte, wherever it runs.
"""

import json
import math
from dataclasses import dataclass

import numpy as np
from onnx import helper, numpy_helper


@dataclass
class Tensor:
    """A value that exists only when the model runs.

    `nchw` says that `shape` (and the data) has the channels second, as ONNX convolves;
    everything else keeps TensorFlow's order.
    """

    name: str
    shape: tuple
    nchw: bool = False

    def tensorflow_shape(self):
        if not self.nchw:
            return self.shape
        n, c, h, w = self.shape
        return (n, h, w, c)


class GraphModel:
    """The files of a TensorFlow.js graph model: nodes by name, weights by name."""

    def __init__(self, path):
        document = json.loads(path.read_text())
        self.nodes = {node["name"]: node for node in document["modelTopology"]["node"]}
        self.weights = {}
        for group in document["weightsManifest"]:
            self._read_group(group, path.parent)

    def _read_group(self, group, folder):
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        offset = 0
        for weight in group["weights"]:
            dtype = np.dtype(weight["dtype"])
            # Some are stored as halves.
            stored = np.dtype(weight.get("quantization", weight)["dtype"])
            count = math.prod(weight["shape"])
            array = np.frombuffer(data, stored, count, offset)
            self.weights[weight["name"]] = array.reshape(weight["shape"]).astype(dtype, copy=False)
            offset += array.nbytes
        if offset != len(data):
            raise ValueError(f"the weights take {offset} bytes, the shards hold {len(data)}")


class OnnxGraph:
    """The ONNX nodes and initializers so far; names are numbered in the order of creation."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op, inputs, outputs=1, **attributes):
        names = [f"{op}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names if outputs > 1 else names[0]


def attribute_ints(node, key):
    return [int(value) for value in node["attr"][key]["list"]["i"]]


def same_padding(size, kernel, stride):
    """Output size and (before, after) padding of TensorFlow's SAME: the odd pixel goes after."""
    output = -(-size // stride)
    total = max(0, (output - 1) * stride + kernel - size)
    return output, (total // 2, total - total // 2)


class Converter:
    """Evaluates TensorFlow nodes from the outputs back: constants fold, the rest is emitted.

    A value is an ndarray (known now), a `Tensor` (known when the model runs) or, for a node with
    several outputs, a list of either. `_op_NAME` converts the TensorFlow op NAME.
    """

    def __init__(self, model, values):
        self.model = model
        self.graph = OnnxGraph()
        # By the name of the node; what is given here is the input.
        self.values = values

    def value(self, reference):
        name, _, output = reference.partition(":")
        if name not in self.values:
            self.values[name] = self._convert(self.model.nodes[name])
        value = self.values[name]
        return value[int(output or 0)] if isinstance(value, list) else value

    def _convert(self, node):
        if node["op"] == "Const":
            return self.model.weights[node["name"]]
        handler = getattr(self, f"_op_{node['op']}", None)
        if handler is None:
            raise ValueError(f"node {node['name']}: no conversion for the op {node['op']}")
        return handler(node, *[self.value(ref) for ref in node["input"] if ref[0] != "^"])

    def _emit(self, op, inputs, shape, nchw=False, **attributes):
        return Tensor(self.graph.add(op, inputs, **attributes), tuple(shape), nchw)

    def _operand(self, value, like):
        """The ONNX name of `value`, shaped so that it broadcasts against the tensor `like`."""
        if isinstance(value, Tensor):
            return value.name
        if like.nchw and value.ndim == 1:
            value = value.reshape(-1, 1, 1)
        return self.graph.constant(value.astype(np.float32))

    def _channels_last(self, tensor):
        if not tensor.nchw:
            return tensor
        shape = tensor.tensorflow_shape()
        return self._emit("Transpose", [tensor.name], shape, perm=[0, 2, 3, 1])

    # Arithmetic

    def _arithmetic(self, op, fold, values):
        tensors = [value for value in values if isinstance(value, Tensor)]
        result = values[0]
        for value in values[1:]:
            if not tensors:
                result = fold(result, value)
                continue
            like = tensors[0]
            inputs = [self._operand(result, like), self._operand(value, like)]
            result = self._emit(op, inputs, like.shape, like.nchw)
        return result

    def _op_Add(self, _node, *values):
        return self._arithmetic("Add", np.add, values)

    _op_AddN = _op_BiasAdd = _op_Add

    def _op_Mul(self, _node, *values):
        return self._arithmetic("Mul", np.multiply, values)

    def _op_Sub(self, _node, *values):
        return self._arithmetic("Sub", np.subtract, values)

    def _op_Sigmoid(self, _node, x):
        return self._emit("Sigmoid", [x.name], x.shape, x.nchw)

    def _op_Reshape(self, _node, x, target):
        if not isinstance(x, Tensor):
            return x.reshape(target)
        x = self._channels_last(x)
        shape = [int(size) for size in target]
        if -1 in shape:
            shape[shape.index(-1)] = math.prod(x.shape) // -math.prod(shape)
        return self._emit("Reshape", [x.name, self.graph.constant(np.array(shape, np.int64))], shape)

    def _op_ConcatV2(self, _node, *values):
        *parts, axis = values
        shape = list(parts[0].shape)
        shape[int(axis)] = sum(part.shape[int(axis)] for part in parts)
        return self._emit("Concat", [part.name for part in parts], shape, axis=int(axis))

    def _op_Transpose(self, _node, x, permutation):
        order = [int(axis) for axis in permutation]
        if not isinstance(x, Tensor):
            return x.transpose(order)
        return self._emit("Transpose", [x.name], [x.shape[axis] for axis in order], perm=order)
