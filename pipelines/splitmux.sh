#!/bin/sh
# The gate before a stock sink: splitmuxsink writes what it lets through, without sidecars. The camera
# is a test source in real time: read faster, splitmuxsink of GStreamer 1.22 may reach its end before
# gst-launch-1.0 has started to play, and then never says so, with or without a gate.
#
#   splitmux.sh [folder]
#
# Without an argument the folder comes from EVR_RECORDINGS; EVR_SIGNALS may hold other signals, one JSON
# object a line. GStreamer must find the plugin (GST_PLUGIN_PATH).
set -eu

recordings=${1:-${EVR_RECORDINGS:-recordings}}
signals=${EVR_SIGNALS:-'{"media_time": 4000000000}'}
mkdir -p "$recordings"

printf '%s\n' "$signals" | gst-launch-1.0 -e -m \
  videotestsrc is-live=true num-buffers=175 ! video/x-raw,width=320,height=240,framerate=25/1 \
  ! x264enc speed-preset=ultrafast tune=zerolatency key-int-max=25 ! h264parse \
  ! signalgate name=gate activation-signal-offset=-1000000000 minimum-activation-time=2000000000 \
  ! splitmuxsink location="$recordings/%05d.mp4" \
  fdsrc fd=0 ! gate.signal
