#!/usr/bin/env python3
"""Convert the NanoDet-g COCO detector from a TensorFlow.js graph model to ONNX.

    nanodet_to_onnx.py nanodet.json nanodet.onnx

    images             float32 [1, 3, 416, 416]  BGR, less the mean and over the standard deviation of
                                                 ImageNet, resized without keeping the aspect
    cls_pred_stride_S  float32 [1, N, 80]        one probability a class
    dis_pred_stride_S  float32 [1, N, 44]        logits of eleven distances, in cells, to each side

The latter for the strides S of 8, 16 and 32, whose cells come row by row, under the names that
NanoDet's own exporter gives them. The classes are COCO's 80.
"""

import base64
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from graph_model import Converter, GraphModel, Tensor, attribute_ints

INPUT_SHAPE = (1, 3, 416, 416)
# The graph came from ONNX by way of TensorFlow, which named the outputs anew.
OUTPUTS = {
    "cls_pred_stride_8": "Identity",
    "dis_pred_stride_8": "Identity_3",
    "cls_pred_stride_16": "Identity_1",
    "dis_pred_stride_16": "Identity_4",
    "cls_pred_stride_32": "Identity_2",
    "dis_pred_stride_32": "Identity_5",
}
TO_CHANNELS_LAST, TO_CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


class Nanodet(Converter):
    """With the operations of this network, whose own order is that of ONNX.

    Only around a convolution, a pooling or a resize do its nodes put the channels last, and back
    afterwards; those transpositions cancel out here.
    """

    def __init__(self, model):
        super().__init__(model, {"input_1": Tensor("images", INPUT_SHAPE)})

    def _op_Transpose(self, node, x, permutation):
        order = [int(axis) for axis in permutation]
        if isinstance(x, Tensor) and order == (TO_CHANNELS_FIRST if x.nchw else TO_CHANNELS_LAST):
            return Tensor(x.name, x.shape, not x.nchw)
        if isinstance(x, Tensor) and x.nchw:
            raise ValueError(f"node {node['name']}: a transposition that does not cancel out")
        return super()._op_Transpose(node, x, permutation)

    def _op_Identity(self, _node, x):
        return x

    _op_AddV2 = Converter._op_Add

    def _op_SparseToDense(self, _node, places, shape, values, default):
        dense = np.full([int(size) for size in shape], default)
        dense[tuple(places.T)] = values
        return dense

    def _op_Pad(self, node, x, paddings, value=0.0):
        if x.nchw:
            raise ValueError(f"node {node['name']}: padding with the channels last")
        before, after = np.asarray(paddings, np.int64).T
        inputs = [np.concatenate([before, after]), np.float32(value)]
        names = [self.graph.constant(array) for array in inputs]
        shape = [int(size) for size in x.shape + before + after]
        return self._emit("Pad", [x.name, *names], shape)

    _op_PadV2 = _op_Pad

    def _windows(self, node, x, kernel):
        """Strides and output size of a node that slides a window over what is padded before."""
        padding = base64.b64decode(node["attr"]["padding"]["s"])
        if padding != b"VALID" or not x.nchw:
            raise ValueError(f"node {node['name']}: only VALID padding, channels last, is converted")
        strides = attribute_ints(node, "strides")[1:3]
        sizes = zip(x.shape[2:], kernel, strides)
        return strides, [(size - window) // stride + 1 for size, window, stride in sizes]

    def _op_Conv2D(self, node, x, kernel):
        weights = kernel.transpose(3, 2, 0, 1)
        strides, size = self._windows(node, x, weights.shape[2:])
        shape = (x.shape[0], weights.shape[0], *size)
        inputs = [x.name, self.graph.constant(weights)]
        return self._emit("Conv", inputs, shape, nchw=True, strides=strides)

    def _op_MaxPool(self, node, x):
        kernel = attribute_ints(node, "ksize")[1:3]
        strides, size = self._windows(node, x, kernel)
        shape = (*x.shape[:2], *size)
        return self._emit(
            "MaxPool", [x.name], shape, nchw=True, strides=strides, kernel_shape=kernel
        )

    def _op_LeakyRelu(self, node, x):
        alpha = node["attr"]["alpha"]["f"]
        return self._emit("LeakyRelu", [x.name], x.shape, x.nchw, alpha=alpha)

    def _op_ResizeBilinear(self, node, x, size):
        if not node["attr"]["half_pixel_centers"]["b"]:
            raise ValueError(f"node {node['name']}: only half pixel centres are converted")
        shape = (*x.shape[:2], *(int(side) for side in size))
        sizes = self.graph.constant(np.array(shape, np.int64))
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self._emit("Resize", [x.name, "", "", sizes], shape, nchw=True, **mode)

    def _op_SplitV(self, _node, x, sizes, axis):
        sizes, axis = [int(size) for size in sizes], int(axis)
        names = self.graph.constant(np.array(sizes, np.int64))
        parts = self.graph.add("Split", [x.name, names], outputs=len(sizes), axis=axis)
        shape = lambda size: (*x.shape[:axis], size, *x.shape[axis + 1 :])
        return [Tensor(part, shape(size)) for part, size in zip(parts, sizes)]


def convert(path):
    """The ONNX model of the TensorFlow.js model whose JSON lies at `path`."""
    converter = Nanodet(GraphModel(path))
    tensors = {name: converter.value(node) for name, node in OUTPUTS.items()}
    graph = converter.graph
    renamed = [helper.make_node("Identity", [t.name], [name]) for name, t in tensors.items()]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    model = helper.make_model(
        helper.make_graph(
            [*graph.nodes, *renamed],
            "nanodet_g_coco",
            [value("images", INPUT_SHAPE)],
            [value(name, tensor.shape) for name, tensor in tensors.items()],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        producer_name="gst-plugin-evr",
        ir_version=8,
    )
    helper.set_model_props(model, {"license": "Apache-2.0"})
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: nanodet_to_onnx.py nanodet.json nanodet.onnx")
    # Evaluating from the outputs back goes as deep as the network.
    sys.setrecursionlimit(5000)
    onnx.save(convert(Path(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    main()
