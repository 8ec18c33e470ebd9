#!/usr/bin/env python3
"""Convert the SSDLite MobileNetV2 COCO detector from a TensorFlow.js graph model to ONNX.

    ssdlite_to_onnx.py model.json ssdlite.onnx

    images  float32 [1, 3, 300, 300]  RGB, scaled as x * 2 / 255 - 1, resized without keeping the aspect
    boxes   float32 [1, 1917, 4]      ymin, xmin, ymax, xmax as fractions of the image
    scores  float32 [1, 1917, 90]     one probability a class; column i is the COCO category i + 1

Suppressing overlapping boxes is left to the consumer. The classes stand in the model's metadata
under `names`, as Python writes a dict of index to name: what ultralytics' exporter made usual.
"""

import math
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from graph_model import Converter, GraphModel, Tensor, attribute_ints, same_padding

ANCHORS, CLASSES = 1917, 90
INPUT_SHAPE = (1, 3, 300, 300)

# The 90 COCO category ids name 80 classes; ids that the data set left out have no name.
COCO_NAMES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 5: "airplane", 6: "bus", 7: "train",
    8: "truck", 9: "boat", 10: "traffic light", 11: "fire hydrant", 13: "stop sign",
    14: "parking meter", 15: "bench", 16: "bird", 17: "cat", 18: "dog", 19: "horse", 20: "sheep",
    21: "cow", 22: "elephant", 23: "bear", 24: "zebra", 25: "giraffe", 27: "backpack",
    28: "umbrella", 31: "handbag", 32: "tie", 33: "suitcase", 34: "frisbee", 35: "skis",
    36: "snowboard", 37: "sports ball", 38: "kite", 39: "baseball bat", 40: "baseball glove",
    41: "skateboard", 42: "surfboard", 43: "tennis racket", 44: "bottle", 46: "wine glass",
    47: "cup", 48: "fork", 49: "knife", 50: "spoon", 51: "bowl", 52: "banana", 53: "apple",
    54: "sandwich", 55: "orange", 56: "broccoli", 57: "carrot", 58: "hot dog", 59: "pizza",
    60: "donut", 61: "cake", 62: "chair", 63: "couch", 64: "potted plant", 65: "bed",
    67: "dining table", 70: "toilet", 72: "tv", 73: "laptop", 74: "mouse", 75: "remote",
    76: "keyboard", 77: "cell phone", 78: "microwave", 79: "oven", 80: "toaster", 81: "sink",
    82: "refrigerator", 84: "book", 85: "clock", 86: "vase", 87: "scissors", 88: "teddy bear",
    89: "hair drier", 90: "toothbrush",
}


class Ssdlite(Converter):
    """With the operations that this network has besides the usual ones."""

    def __init__(self, model):
        # What lies before this node scales to -1..1 and resizes: the consumer's part here.
        super().__init__(model, {"Preprocessor/sub": Tensor("images", INPUT_SHAPE, nchw=True)})

    # Convolutions

    def _op_Conv2D(self, node, x, kernel):
        return self._convolve(node, x, kernel.transpose(3, 2, 0, 1), groups=1)

    def _op_DepthwiseConv2dNative(self, node, x, kernel):
        height, width, channels, _ = kernel.shape
        weights = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, height, width)
        return self._convolve(node, x, weights, groups=channels)

    def _convolve(self, node, x, weights, groups):
        if bytes(node["attr"]["padding"]["s"]) != b"SAME":
            raise ValueError(f"node {node['name']}: only SAME padding is converted")
        strides = attribute_ints(node, "strides")[1:3]
        kernel = weights.shape[2:]
        (height, rows), (width, columns) = map(same_padding, x.shape[2:], kernel, strides)
        return self._emit(
            "Conv",
            [x.name, self.graph.constant(weights)],
            (x.shape[0], weights.shape[0], height, width),
            nchw=True,
            strides=strides,
            group=groups,
            pads=[rows[0], columns[0], rows[1], columns[1]],
            kernel_shape=kernel,
        )

    def _op_FusedBatchNorm(self, node, x, gamma, beta, mean, variance):
        # Folded in float64 so that no CPU's float32 shortcuts show in the file.
        gamma, beta, mean, variance = (
            np.asarray(part, np.float64) for part in (gamma, beta, mean, variance)
        )
        scale = gamma / np.sqrt(variance + node["attr"]["epsilon"]["f"])
        scaled = self._arithmetic("Mul", np.multiply, (x, scale))
        return self._arithmetic("Add", np.add, (scaled, beta - mean * scale))

    def _op_Relu6(self, _node, x):
        bounds = [self.graph.constant(np.float32(bound)) for bound in (0, 6)]
        return self._emit("Clip", [x.name, *bounds], x.shape, x.nchw)

    def _op_Exp(self, _node, x):
        return self._emit("Exp", [x.name], x.shape, x.nchw)

    # Shapes: all known here, since the input's size is fixed

    def _op_Shape(self, _node, x):
        return np.array(x.tensorflow_shape() if isinstance(x, Tensor) else x.shape)

    def _op_StridedSlice(self, _node, x, begin, *_):
        return np.array(x[begin[0]])  # always one dimension out of a shape

    def _op_Pack(self, node, *values):
        if not any(isinstance(value, Tensor) for value in values):
            return np.array([int(value) for value in values])
        axis = int(node["attr"]["axis"]["i"])
        shape = list(values[0].shape)
        shape.insert(axis, 1)
        parts = []
        for value in values:
            axes = self.graph.constant(np.array([axis], np.int64))
            parts.append(self.graph.add("Unsqueeze", [value.name, axes]))
        shape[axis] = len(parts)
        return self._emit("Concat", parts, shape, axis=axis)

    def _op_Unpack(self, node, x):
        axis = int(node["attr"]["axis"]["i"])
        if not isinstance(x, Tensor):
            return [np.take(x, i, axis) for i in range(x.shape[axis])]
        count = x.shape[axis]
        sizes = self.graph.constant(np.ones(count, np.int64))
        parts = self.graph.add("Split", [x.name, sizes], outputs=count, axis=axis)
        return [self._squeeze(Tensor(part, (*x.shape[:axis], 1, *x.shape[axis + 1 :])), [axis])
                for part in parts]

    def _op_Squeeze(self, node, x):
        return self._squeeze(self._channels_last(x), attribute_ints(node, "squeeze_dims"))

    def _squeeze(self, x, axes):
        shape = [size for axis, size in enumerate(x.shape) if axis not in axes]
        return self._emit("Squeeze", [x.name, self.graph.constant(np.array(axes, np.int64))], shape)

    def _op_Tile(self, _node, x, repeats):
        return np.tile(x, repeats)

    def _op_ExpandDims(self, _node, x, axis):
        # On a tensor it only serves the suppression that follows, which stays outside.
        return x if isinstance(x, Tensor) else np.expand_dims(x, int(axis))

    def _op_Slice(self, _node, x, begin, size):
        end = [x.shape[i] if size[i] < 0 else begin[i] + size[i] for i in range(len(begin))]
        bounds = [np.array(bound, np.int64) for bound in (begin, end)]
        inputs = [x.name, *map(self.graph.constant, bounds)]
        return self._emit("Slice", inputs, [int(n) for n in bounds[1] - bounds[0]])


def convert(path):
    """The ONNX model of the TensorFlow.js model whose model.json lies at `path`."""
    converter = Ssdlite(GraphModel(path))
    graph = converter.graph
    boxes = converter.value("Postprocessor/ExpandDims_1")
    scores = converter.value("Postprocessor/Slice")  # without the background class
    box_shape = graph.constant(np.array([1, ANCHORS, 4]))
    nodes = [
        *graph.nodes,
        helper.make_node("Reshape", [boxes.name, box_shape], ["boxes"]),
        helper.make_node("Identity", [scores.name], ["scores"]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "ssdlite_mobilenet_v2_coco",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, INPUT_SHAPE)],
            [
                helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, ANCHORS, 4]),
                helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, ANCHORS, CLASSES]),
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        producer_name="gst-plugin-evr",
        ir_version=8,
    )
    names = {category - 1: name for category, name in COCO_NAMES.items()}
    helper.set_model_props(model, {"names": repr(names), "license": "Apache-2.0"})
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: ssdlite_to_onnx.py model.json ssdlite.onnx")
    # Evaluating from the outputs back goes as deep as the network.
    sys.setrecursionlimit(5000)
    onnx.save(convert(Path(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    main()
