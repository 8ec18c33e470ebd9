#!/bin/sh
# People nearer than 3 m to a ZED are recorded, with 3 s of pre-roll, and nobody else: depth is matched from
# both eyes of its recording (side by side, or SVO2), and each person is told how far away it is. Another
# label of the model's records that instead. Who is nearer than 1 m may be missed: a smaller
# depth-minimum-distance finds them, and takes longer. The calibration of an SVO2 file need not be named where
# it stands in /usr/local/zed/settings.
#
#   zed-distance.sh [recording.mp4 [model.onnx [folder [SN12345678.conf [metres [label]]]]]]
#
# What is not given as an argument comes from EVR_STEREO_INPUT, EVR_MODEL, EVR_RECORDINGS, EVR_CALIBRATION,
# EVR_METRES and EVR_LABEL. GStreamer must find the plugin (GST_PLUGIN_PATH) and the plugin ONNX Runtime
# (ORT_DYLIB_PATH).
set -eu

input=${1:-${EVR_STEREO_INPUT:?is not set; name a recording with both eyes side by side, or pass it as the first argument}}
model=${2:-${EVR_MODEL:?is not set; name an SSDLite model in ONNX, or pass it as the second argument}}
recordings=${3:-${EVR_RECORDINGS:-recordings}}
calibration=${4:-${EVR_CALIBRATION:-}}
metres=${5:-${EVR_METRES:-3}}
label=${6:-${EVR_LABEL:-person}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e -m zedsrc location="$input" ${calibration:+calibration-file="$calibration"} \
  stream-type=left depth-mode=performance depth-minimum-distance=1000 \
  ! onnxdetect model-file="$model" ! depthannotate ! objectcounter labels="$label" max-distance="$metres" \
  ! x264enc speed-preset=veryfast key-int-max=20 ! h264parse \
  ! signalgate activation-signal-offset=-3000000000 minimum-activation-time=3000000000 \
  ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4"
