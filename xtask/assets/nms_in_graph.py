#!/usr/bin/env python3
"""Put suppression into the graph of the SSDLite detector that ssdlite_to_onnx.py makes.

    nms_in_graph.py ssdlite.onnx ssdlite_nms.onnx

The result has the outputs of TensorFlow's detection API, which are also what GStreamer's own
ssdobjectdetector reads; the metadata that element goes by are in the model. Needs numpy and onnx,
and is the same, byte for byte, wherever it runs.

    images             float32 [1, 3, 300, 300]  as before
    detection_boxes    float32 [1, 100, 4]       ymin, xmin, ymax, xmax, best first, then zeros
    detection_classes  float32 [1, 100]          COCO category ids, from 1
    detection_scores   float32 [1, 100]
    num_detections     float32 [1]
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MOST = 100
SCORE, IOU = 0.3, 0.5
IDS = {
    "detection_boxes": "Gst.Model.ObjectDetector.Boxes",
    "detection_classes": "Gst.Model.ObjectDetector.Classes",
    "detection_scores": "Gst.Model.ObjectDetector.Scores",
    "num_detections": "Gst.Model.ObjectDetector.NumDetections",
}
CONSTANTS = {
    "nms_most": np.array(MOST, np.int64),
    "nms_most_1": np.array([MOST], np.int64),
    "nms_iou": np.array(IOU, np.float32),
    "nms_score": np.array(SCORE, np.float32),
    "nms_axis_0": np.array([0], np.int64),
    "nms_one": np.array(1, np.float32),
    "nms_no_scores": np.zeros(MOST, np.float32),
    "nms_no_boxes": np.zeros((MOST, 4), np.float32),
    "nms_row": np.array(1, np.int64),
    "nms_column": np.array(2, np.int64),
    "nms_class_and_box": np.array([1, 2], np.int64),
}


def node(op, inputs, output, **attributes):
    outputs = output if isinstance(output, list) else [output]
    return helper.make_node(op, inputs, outputs, **attributes)


def suppression():
    """From `boxes` and `scores` to the four outputs."""
    return [
        node("Transpose", ["scores"], "nms_by_class", perm=[0, 2, 1]),
        # Rows of batch, class, box.
        node(
            "NonMaxSuppression",
            ["boxes", "nms_by_class", "nms_most", "nms_iou", "nms_score"],
            "nms_chosen",
        ),
        node("Gather", ["nms_chosen", "nms_row"], "nms_classes", axis=1),
        node("Gather", ["nms_chosen", "nms_column"], "nms_places", axis=1),
        node("Gather", ["nms_chosen", "nms_class_and_box"], "nms_where", axis=1),
        node("Squeeze", ["nms_by_class", "nms_axis_0"], "nms_scores_2d"),
        node("GatherND", ["nms_scores_2d", "nms_where"], "nms_found_scores"),
        node("Squeeze", ["boxes", "nms_axis_0"], "nms_boxes_2d"),
        node("Gather", ["nms_boxes_2d", "nms_places"], "nms_found_boxes", axis=0),
        node("Cast", ["nms_classes"], "nms_classes_f", to=TensorProto.FLOAT),
        node("Add", ["nms_classes_f", "nms_one"], "nms_found_classes"),
        # Padded, so that there are always enough to choose the best from.
        node("Concat", ["nms_found_scores", "nms_no_scores"], "nms_all_scores", axis=0),
        node("Concat", ["nms_found_classes", "nms_no_scores"], "nms_all_classes", axis=0),
        node("Concat", ["nms_found_boxes", "nms_no_boxes"], "nms_all_boxes", axis=0),
        node("TopK", ["nms_all_scores", "nms_most_1"], ["nms_best", "nms_order"]),
        node("Gather", ["nms_all_classes", "nms_order"], "nms_best_classes", axis=0),
        node("Gather", ["nms_all_boxes", "nms_order"], "nms_best_boxes", axis=0),
        node("Unsqueeze", ["nms_best", "nms_axis_0"], "detection_scores"),
        node("Unsqueeze", ["nms_best_classes", "nms_axis_0"], "detection_classes"),
        node("Unsqueeze", ["nms_best_boxes", "nms_axis_0"], "detection_boxes"),
        node("Shape", ["nms_found_scores"], "nms_count"),
        node("Min", ["nms_count", "nms_most_1"], "nms_shown"),
        node("Cast", ["nms_shown"], "num_detections", to=TensorProto.FLOAT),
    ]


def convert(model):
    graph = model.graph
    graph.node.extend(suppression())
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in CONSTANTS.items()
    )
    del graph.output[:]
    shapes = {"detection_boxes": [1, MOST, 4], "num_detections": [1]}
    for name in IDS:
        shape = shapes.get(name, [1, MOST])
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    # The names count from category 1, as the class numbers do.
    helper.set_model_props(model, {**metadata, **IDS})
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: nms_in_graph.py ssdlite.onnx ssdlite_nms.onnx")
    onnx.save(convert(onnx.load(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    main()
