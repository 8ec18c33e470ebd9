#!/usr/bin/env python3
"""How well tracks agree with the truth, computed a second time by py-motmetrics.

Reads what the long test of the tracker prints: the tracks of two trackers on scenes whose truth is
known, and the figures that the repository's own formulas give. Fails where a figure differs, and
writes those of the plain tracker, which is part of the tests and never changes, into
plugins/core/src/tracker/tests/motmetrics.json, where a test compares them in every run. Needs
motmetrics==1.4.0:

    cargo test -p evr-core --lib soak_tracking -- --ignored --nocapture > tracks.txt
    python3 tests/reference/tracking.py tracks.txt
"""

import collections
import json
import pathlib
import re
import sys

import motmetrics
import numpy as np

OUT = pathlib.Path(__file__).parents[2] / "plugins/core/src/tracker/tests/motmetrics.json"
FIGURES = re.compile(r"measured: tracking, (.*): MOTA ([-\d.]+), IDF1 ([\d.]+), (\d+) switches")


def distances(truth, tracks):
    """1 - IoU; none where less than half overlaps."""
    if not truth or not tracks:
        return np.empty((len(truth), len(tracks)))
    a = np.array([box for _, box in truth])[:, None]
    b = np.array([box for _, box in tracks])[None]
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=-1)
    iou = both / (np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - both)
    return np.where(iou >= 0.5, 1 - iou, np.nan)


def main(path):
    said, frames = {}, collections.defaultdict(lambda: collections.defaultdict(list))
    for line in pathlib.Path(path).read_text().splitlines():
        if found := FIGURES.search(line):
            name, mota, idf1, switches = found.groups()
            said[name] = (float(mota), float(idf1), int(switches))
        elif line.count("|") == 2:
            name, frame, who, *box = line.split(",")
            frames[name][int(frame)].append((int(who), [float(side) for side in box]))

    wrong, goldens = 0, {}
    for name, ours in said.items():
        scene, who = name.rsplit(", ", 1)
        truth, tracks = (frames[f"{scene}|{who}|{what}"] for what in ("truth", "tracks"))
        events = motmetrics.MOTAccumulator(auto_id=True)
        for frame in range(1, max(truth) + 1):
            ids = [[number for number, _ in boxes[frame]] for boxes in (truth, tracks)]
            events.update(*ids, distances(truth[frame], tracks[frame]))
        host = motmetrics.metrics.create()
        theirs = host.compute(events, metrics=["mota", "idf1", "num_switches"])
        mota, idf1, switches = (float(theirs[column].iloc[0]) for column in theirs)
        agree = abs(mota - ours[0]) < 1e-4 and abs(idf1 - ours[1]) < 1e-4 and switches == ours[2]
        wrong += not agree
        print(f"{name}: MOTA {mota:.4f}, IDF1 {idf1:.4f}, {switches:.0f} switches", end="")
        print("" if agree else f" and not {ours}")
        if who == "by overlap alone":
            goldens[scene] = {"mota": mota, "idf1": idf1, "switches": int(switches)}
    OUT.write_text(json.dumps(goldens, indent=1) + "\n")
    sys.exit(f"{wrong} of {len(said)} differ" if wrong or not said else None)


if __name__ == "__main__":
    main(sys.argv[1])
