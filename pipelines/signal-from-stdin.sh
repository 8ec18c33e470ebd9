#!/bin/sh
# Records a stretch of a video file because a line of JSON says so: here from a variable, as well
# typed or piped into gst-launch-1.0 by whatever knows that something has happened.
#
#   signal-from-stdin.sh [input.mp4 [folder]]
#
# What is not given as an argument comes from EVR_INPUT and EVR_RECORDINGS; EVR_SIGNALS may hold other
# signals, one JSON object a line. GStreamer must find the plugin (GST_PLUGIN_PATH).
#
# A file is read faster than a line may come: watermark=true lets the gate wait until the lines have
# ended (max-signal-lag at most). Leave it out where the media comes from a camera.
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
recordings=${2:-${EVR_RECORDINGS:-recordings}}
signals=${EVR_SIGNALS:-'{"media_time": 10000000000, "label": "doorbell"}'}
mkdir -p "$recordings"

printf '%s\n' "$signals" | gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse \
  ! signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=5000000000 \
  ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4" \
  fdsrc fd=0 ! application/x-json,watermark=true ! gate.signal
