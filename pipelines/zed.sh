#!/bin/sh
# The left eye of a ZED's recording (both eyes side by side): people are found and recorded with 3 s of
# pre-roll. With the camera's SN<serial>.conf the picture is rectified first.
#
#   zed.sh [recording.mp4 [model.onnx [folder [SN12345678.conf]]]]
#
# What is not given as an argument comes from EVR_STEREO_INPUT, EVR_MODEL, EVR_RECORDINGS and
# EVR_CALIBRATION. GStreamer must find the plugin (GST_PLUGIN_PATH) and the plugin ONNX Runtime
# (ORT_DYLIB_PATH).
set -eu

input=${1:-${EVR_STEREO_INPUT:?is not set; name a recording with both eyes side by side, or pass it as the first argument}}
model=${2:-${EVR_MODEL:?is not set; name an SSDLite model in ONNX, or pass it as the second argument}}
recordings=${3:-${EVR_RECORDINGS:-recordings}}
calibration=${4:-${EVR_CALIBRATION:-}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e -m zedsrc location="$input" ${calibration:+calibration-file="$calibration"} stream-type=left \
  ! onnxdetect model-file="$model" ! objectcounter labels=person \
  ! x264enc speed-preset=veryfast key-int-max=20 ! h264parse \
  ! signalgate activation-signal-offset=-3000000000 minimum-activation-time=3000000000 \
  ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4"
