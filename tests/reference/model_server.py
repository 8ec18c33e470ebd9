#!/usr/bin/env python3
"""A small real model server: SSDLite behind Azure's HTTP contract and behind KServe v2.

Written apart from the plugin: ONNX Runtime's own Python, Pillow's decoders, the standard library's
HTTP. Prints its address when it is ready. Needs numpy, onnxruntime and Pillow:

    python3 tests/reference/model_server.py model.onnx

    POST /score                     a picture in, inferences out, 204 for none
    GET  /v2/models/ssdlite         what the model is
    POST /v2/models/ssdlite/infer   tensors in, tensors out
"""

import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime
from PIL import Image

CONFIDENCE, IOU = 0.5, 0.5
NAMES = {1: "person", 2: "bicycle", 3: "car", 6: "bus", 8: "truck"}
TYPES = {"tensor(float)": "FP32"}

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])


def overlap(a, b):
    """Intersection over union of two boxes of top, left, bottom, right."""
    h = min(a[2], b[2]) - max(a[0], b[0])
    w = min(a[3], b[3]) - max(a[1], b[1])
    both = max(h, 0) * max(w, 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return both / max(area(a) + area(b) - both, 1e-9)


def score(picture):
    """The inferences in an encoded picture."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").resize((300, 300), Image.BILINEAR)
    pixels = np.asarray(image, np.float32) * (2 / 255) - 1
    boxes, scores = session.run(["boxes", "scores"], {"images": pixels.transpose(2, 0, 1)[None]})
    boxes, scores = boxes[0], scores[0]
    kept = []
    for place, column in sorted(
        zip(*np.nonzero(scores >= CONFIDENCE)), key=lambda at: -scores[at]
    ):
        box = np.clip(boxes[place], 0, 1)
        if all(column != c or overlap(box, other) <= IOU for other, c, _ in kept):
            kept.append((box, column, scores[place, column]))
    return [
        {
            "type": "entity",
            "entity": {
                "tag": {"value": NAMES.get(column + 1, str(column + 1)), "confidence": float(found)},
                "box": {
                    "l": float(left),
                    "t": float(top),
                    "w": float(right - left),
                    "h": float(bottom - top),
                },
            },
        }
        for (top, left, bottom, right), column, found in kept
    ]


def metadata():
    """What KServe v2 tells of a model."""
    tensors = lambda found: [
        {
            "name": tensor.name,
            "datatype": TYPES[tensor.type],
            "shape": [side if isinstance(side, int) else -1 for side in tensor.shape],
        }
        for tensor in found
    ]
    return {
        "name": "ssdlite",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": tensors(session.get_inputs()),
        "outputs": tensors(session.get_outputs()),
    }


def infer(body, json_bytes):
    """A request of KServe v2; tensors come back in the form in which they are asked for."""
    request = json.loads(body[: json_bytes or len(body)])
    rest = body[json_bytes or len(body) :]
    feeds = {}
    for tensor in request["inputs"]:
        assert tensor["datatype"] == "FP32"
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = np.array(tensor["data"], np.float32)
        else:
            data, rest = np.frombuffer(rest[:size], "<f4"), rest[size:]
        feeds[tensor["name"]] = data.reshape(tensor["shape"])
    names = [tensor.name for tensor in session.get_outputs()]
    found = session.run(names, feeds)
    binary = request.get("parameters", {}).get("binary_data_output")
    outputs, tail = [], b""
    for name, data in zip(names, found):
        output = {"name": name, "datatype": "FP32", "shape": data.shape}
        if binary:
            tail += data.astype("<f4").tobytes()
            output["parameters"] = {"binary_data_size": data.size * 4}
        else:
            output["data"] = data.ravel().tolist()
        outputs.append(output)
    head = json.dumps({"model_name": "ssdlite", "outputs": outputs}).encode()
    return head, tail, binary


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two small writes would otherwise wait for one another's acknowledgement, 40 ms each.
    disable_nagle_algorithm = True

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v2/models/ssdlite":
            self.say(200, json.dumps(metadata()).encode(), Content_Type="application/json")
        else:
            self.say(404, b'{"error":"unknown"}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/score"):
            found = score(body)
            if found:
                reply = json.dumps({"inferences": found}).encode()
                self.say(200, reply, Content_Type="application/json")
            else:
                self.say(204)
        elif self.path == "/v2/models/ssdlite/infer":
            told = self.headers.get("Inference-Header-Content-Length")
            head, tail, binary = infer(body, int(told) if told else None)
            extra = {"Inference_Header_Content_Length": str(len(head))} if binary else {}
            self.say(200, head + tail, **extra)
        else:
            self.say(404, b'{"error":"unknown"}')

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
