#!/bin/sh
# Records whatever moves and tells an MQTT broker of it: the signals, and what becomes of the
# recordings. A broker that is away learns it when it is back, from the folder "outbox".
#
#   mqtt.sh [input.mp4 [folder [broker]]]
#
# What is not given as an argument comes from EVR_INPUT, EVR_RECORDINGS and EVR_BROKER, such as
# mqtt://localhost. GStreamer must find the plugin (GST_PLUGIN_PATH). To see what is told:
#
#   mosquitto_sub -v -t 'evr/#'
set -eu

input=${1:-${EVR_INPUT:?is not set; name an MP4 file with H.264 video, or pass it as the first argument}}
recordings=${2:-${EVR_RECORDINGS:-recordings}}
broker=${3:-${EVR_BROKER:-mqtt://localhost}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e -m filesrc location="$input" ! qtdemux ! h264parse ! tee name=t \
  t. ! queue ! signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=3000000000 \
     ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4" source-id=door \
  t. ! queue ! avdec_h264 ! motiondetect name=motion ! fakesink sync=false \
  motion.signal_0 ! gate.signal \
  motion.signal_1 ! mqtteventsink broker="$broker" source-id=door \
     journal="$recordings/events.jsonl" outbox="$recordings/outbox"
