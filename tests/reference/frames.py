#!/usr/bin/env python3
"""What models find in ten real frames, computed a second time: NumPy and the runtime's own Python.

Decodes the two-event clip of `cargo xtask assets`, prepares ten frames with people as the model
wants them, runs it, reads its outputs, and writes what it found as JSON into tests/goldens, where
`tests/onnxdetect/reference.rs` compares. Needs numpy, onnxruntime==1.28.0 and gst-launch-1.0:

    python3 tests/reference/frames.py ssdlite model.onnx clip.mp4
    python3 tests/reference/frames.py yolox model.onnx clip.mp4
    python3 tests/reference/frames.py nanodet model.onnx clip.mp4
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

FRAMES = [62, 68, 75, 83, 91, 99, 110, 205, 217, 233]
WIDTH, HEIGHT = 768, 576
CONFIDENCE, IOU = 0.4, 0.5


def decode(clip):
    """The frames as planes Y, U, V of full size floats."""
    with tempfile.NamedTemporaryFile() as raw:
        line = (
            f"filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 max-threads=1 ! "
            f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT} ! filesink location={raw.name}"
        )
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True)
        data = np.fromfile(raw.name, np.uint8)
    size = WIDTH * HEIGHT
    for frame in data.reshape(-1, size * 3 // 2)[FRAMES]:
        y = frame[:size].reshape(HEIGHT, WIDTH)
        u = frame[size : size * 5 // 4].reshape(HEIGHT // 2, WIDTH // 2)
        v = frame[size * 5 // 4 :].reshape(HEIGHT // 2, WIDTH // 2)
        yield [plane.astype(np.float64) for plane in (y, u, v)]


def resize(plane, width, height):
    """Bilinear, pixel centres at half integers, edges repeated."""

    def taps(n_from, n_to):
        at = np.clip((np.arange(n_to) + 0.5) * n_from / n_to - 0.5, 0, n_from - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, n_from - 1), at - low

    y0, y1, fy = taps(plane.shape[0], height)
    x0, x1, fx = taps(plane.shape[1], width)
    rows = plane[y0] * (1 - fy)[:, None] + plane[y1] * fy[:, None]
    return rows[:, x0] * (1 - fx) + rows[:, x1] * fx


def rgb(planes, width, height):
    """BT.601, limited, as the clip's caps say: [height, width, 3] of 0..255."""
    y, u, v = (resize(plane, width, height) for plane in planes)
    y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    r, b = y + 1.402 * v, y + 1.772 * u
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return np.clip(np.stack([r, g, b], axis=-1), 0, 1) * 255


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    return both / (area(a) + area(b) - both)


def suppress(found):
    kept = []
    for d in sorted(found, key=lambda d: -d[0]):
        if all(k[1] != d[1] or iou(k[2], d[2]) <= IOU for k in kept):
            kept.append(d)
    return kept


def ssdlite(session, planes):
    image = rgb(planes, 300, 300) * 2 / 255 - 1
    feed = {"images": image.transpose(2, 0, 1)[None].astype(np.float32)}
    boxes, scores = session.run(["boxes", "scores"], feed)
    for n, c in zip(*np.nonzero(scores[0] >= CONFIDENCE)):
        y0, x0, y1, x1 = np.clip(boxes[0, n], 0, 1)
        yield float(scores[0, n, c]), int(c), [x0, y0, x1, y1]


def yolox(session, planes):
    ratio = min(416 / WIDTH, 416 / HEIGHT)
    w, h = int(WIDTH * ratio), int(HEIGHT * ratio)
    image = np.full((416, 416, 3), 114.0)
    image[:h, :w] = rgb(planes, w, h)[:, :, ::-1]
    rows = session.run(None, {"images": image.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
    n = 0
    for stride in (8, 16, 32):
        for gy in range(416 // stride):
            for gx in range(416 // stride):
                row = rows[n].astype(np.float64)
                n += 1
                c = int(row[5:].argmax())
                score = row[4] * row[5 + c]
                if score < CONFIDENCE:
                    continue
                x, y = (row[0] + gx) * stride, (row[1] + gy) * stride
                bw, bh = np.exp(row[2]) * stride, np.exp(row[3]) * stride
                box = [(x - bw / 2) / w, (y - bh / 2) / h, (x + bw / 2) / w, (y + bh / 2) / h]
                yield float(score), c, list(np.clip(box, 0, 1))


def nanodet(session, planes):
    mean, std = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
    image = (rgb(planes, 416, 416)[:, :, ::-1] - mean) / std
    feed = {"images": image.transpose(2, 0, 1)[None].astype(np.float32)}
    for stride in (8, 16, 32):
        names = [f"cls_pred_stride_{stride}", f"dis_pred_stride_{stride}"]
        scores, sides = (output[0].astype(np.float64) for output in session.run(names, feed))
        bins = np.exp(sides.reshape(-1, 4, 11))
        left, top, right, bottom = (bins / bins.sum(axis=2, keepdims=True) @ np.arange(11)).T * stride
        y, x = np.divmod(np.arange(len(scores)), 416 // stride)
        x, y = (x + 0.5) * stride, (y + 0.5) * stride
        boxes = np.clip(np.stack([x - left, y - top, x + right, y + bottom], axis=1) / 416, 0, 1)
        for n, c in zip(*np.nonzero(scores >= CONFIDENCE)):
            yield float(scores[n, c]), int(c), list(boxes[n])


def main():
    kind, model, clip = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    read = {"ssdlite": ssdlite, "yolox": yolox, "nanodet": nanodet}[kind]
    golden = []
    for number, planes in zip(FRAMES, decode(clip)):
        found = suppress(read(session, planes))
        objects = [
            {"class": c, "confidence": round(s, 4), "corners": [round(float(x), 5) for x in b]}
            for s, c, b in found
        ]
        golden.append({"frame": number, "objects": objects})
    out = pathlib.Path(__file__).parents[1] / "goldens" / f"{kind}.json"
    out.parent.mkdir(exist_ok=True)
    frames = ",\n".join(json.dumps(frame) for frame in golden)
    out.write_text(f"[\n{frames}\n]\n")
    print(f"{out}: {sum(len(frame['objects']) for frame in golden)} objects")


main()
