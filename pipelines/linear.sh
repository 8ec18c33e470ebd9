#!/bin/sh
# One branch does it all: decodes, finds people, encodes anew and records. Nothing links a `signal` pad,
# so the signals travel with the video; the encoder stands before the gate, never behind it.
#
#   linear.sh [input.mp4 [model.onnx [folder]]]
#
# What is not given as an argument comes from EVR_INPUT, EVR_MODEL and EVR_RECORDINGS. GStreamer must
# find the plugin (GST_PLUGIN_PATH) and the plugin ONNX Runtime (ORT_DYLIB_PATH).
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
model=${2:-${EVR_MODEL:?is not set; name an SSDLite model in ONNX, or pass it as the second argument}}
recordings=${3:-${EVR_RECORDINGS:-recordings}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse ! avdec_h264 \
  ! onnxdetect model-file="$model" ! objectcounter labels=person \
  ! x264enc speed-preset=veryfast key-int-max=20 ! h264parse \
  ! signalgate activation-signal-offset=-3000000000 minimum-activation-time=3000000000 \
  ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4"
