#!/bin/sh
# The gate before a stock sink: splitmuxsink writes what it lets through, without sidecars.
#
#   splitmux.sh [input.mp4 [folder]]
#
# What is not given as an argument comes from EVR_INPUT and EVR_RECORDINGS; EVR_SIGNALS may hold other
# signals, one JSON object a line. GStreamer must find the plugin (GST_PLUGIN_PATH).
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
recordings=${2:-${EVR_RECORDINGS:-recordings}}
signals=${EVR_SIGNALS:-'{"media_time": 10000000000}'}
mkdir -p "$recordings"

printf '%s\n' "$signals" | gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse \
  ! signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=5000000000 \
  ! splitmuxsink location="$recordings/%05d.mp4" \
  fdsrc fd=0 ! gate.signal
