#!/bin/sh
# Records whatever moves, with 3 s of pre-roll: no model, and a fraction of a core.
#
#   motion.sh [input.mp4 [folder]]
#
# What is not given as an argument comes from EVR_INPUT and EVR_RECORDINGS. GStreamer must find the
# plugin (GST_PLUGIN_PATH).
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
recordings=${2:-${EVR_RECORDINGS:-recordings}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse ! tee name=t \
  t. ! queue ! signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=3000000000 \
     ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4" \
  t. ! queue ! avdec_h264 ! motiondetect name=motion ! fakesink sync=false \
  motion.signal ! gate.signal
