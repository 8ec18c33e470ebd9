#!/bin/sh
# The tutorial of Azure Video Analyzer in open parts: a model server looks at what a camera shows,
# a broker is told what it finds, a program of yours counts and says when to record, and the broker
# is told of the camera and of the recordings, in Azure's words.
#
#   tutorial.sh [camera [server [folder [broker]]]]
#
# What is not given as an argument comes from EVR_CAMERA (rtsp://…), EVR_SERVER (http://…/score),
# EVR_RECORDINGS and EVR_BROKER. GStreamer must find the plugin (GST_PLUGIN_PATH). Beside it run:
#
#   python3 tests/reference/model_server.py model.onnx
#   cargo run --release --example object_counter -- mqtt://localhost person 0.5
#   mosquitto_sub -v -t 'evr/#'
set -eu

camera=${1:-${EVR_CAMERA:?is not set; name a camera, rtsp://…, or pass it as the first argument}}
server=${2:-${EVR_SERVER:?is not set; name a model server, http://…/score, or pass it as the second argument}}
recordings=${3:-${EVR_RECORDINGS:-recordings}}
broker=${4:-${EVR_BROKER:-mqtt://localhost}}
mkdir -p "$recordings"

exec gst-launch-1.0 -e rtspcamera name=camera location="$camera" source-id=door ! tee name=t \
  t. ! queue ! signalgate name=gate activation-signal-offset=-2000000000 minimum-activation-time=3000000000 \
     ! eventsink location="$recordings/%Y%m%dT%H%M%SZ-{id}.mp4" source-id=door \
  t. ! queue ! avdec_h264 ! queue leaky=downstream max-size-buffers=1 \
     ! httpdetect location="$server" max-rate=5/1 ! objectcounter name=seen ! fakesink sync=false \
  seen.meta ! mqtteventsink name=tell broker="$broker" format=azure source-id=door \
     journal="$recordings/events.jsonl" outbox="$recordings/outbox" \
  camera.lifecycle ! tell.sink_1 \
  mqtteventsrc broker="$broker" source-id=door ! gate.signal
