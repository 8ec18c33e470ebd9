#!/bin/sh
# Records what a detector sees and what a line of JSON says, by one gate: each source of signals has
# its own pad.
#
#   two-sources.sh [input.mp4 [model.onnx [folder]]]
#
# What is not given as an argument comes from EVR_INPUT, EVR_MODEL and EVR_RECORDINGS; EVR_SIGNALS may
# hold other signals. GStreamer must find the plugin (GST_PLUGIN_PATH) and the plugin ONNX Runtime
# (ORT_DYLIB_PATH).
#
# A file is read faster than a line may come: watermark=true lets the gate wait until the lines have
# ended (max-signal-lag at most). Leave it out where the media comes from a camera.
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
model=${2:-${EVR_MODEL:?is not set; name an SSDLite model in ONNX, or pass it as the second argument}}
recordings=${3:-${EVR_RECORDINGS:-recordings}}
signals=${EVR_SIGNALS:-'{"media_time": 28000000000, "label": "doorbell"}'}
mkdir -p "$recordings"

printf '%s\n' "$signals" | gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse ! tee name=t \
  t. ! queue ! signalgate name=gate activation-signal-offset=-1000000000 minimum-activation-time=1000000000 \
     ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4" \
  t. ! queue ! avdec_h264 ! onnxdetect model-file="$model" \
     ! objectcounter name=count labels=person ! fakesink sync=false \
  count.signal ! gate.signal_0 \
  fdsrc fd=0 ! application/x-json,watermark=true ! gate.signal_1
