#!/bin/sh
# Audio is cut where the video is: a camera with a microphone (here test sources, muxed so that the two
# come side by side) into one clip. Every pad behind the gate is named.
#
#   audio-and-video.sh [folder]
#
# Without an argument the folder comes from EVR_RECORDINGS; EVR_SIGNALS may hold other signals, one JSON
# object a line. GStreamer must find the plugin (GST_PLUGIN_PATH).
#
# A file is read faster than a line may come: watermark=true lets the gate wait until the lines have
# ended (max-signal-lag at most). Leave it out where the media comes from a camera.
set -eu

recordings=${1:-${EVR_RECORDINGS:-recordings}}
signals=${EVR_SIGNALS:-'{"media_time": 10000000000}'}
mkdir -p "$recordings"

printf '%s\n' "$signals" | gst-launch-1.0 -e -m \
  signalgate name=gate activation-signal-offset=-3000000000 minimum-activation-time=5000000000 \
  videotestsrc num-buffers=500 ! video/x-raw,width=320,height=240,framerate=25/1 \
     ! x264enc speed-preset=ultrafast key-int-max=50 ! h264parse ! queue ! camera. \
  audiotestsrc num-buffers=861 ! audio/x-raw,rate=44100,channels=2 \
     ! avenc_aac ! aacparse ! queue ! camera. \
  matroskamux name=camera streamable=true ! matroskademux name=d \
  d.video_0 ! queue ! h264parse ! gate.sink \
  d.audio_0 ! queue ! aacparse ! gate.sink_0 \
  gate.src ! queue ! sink.video \
  gate.src_0 ! queue ! sink.audio_0 \
  eventsink name=sink location="$recordings/{n}.mp4" \
  fdsrc fd=0 ! application/x-json,watermark=true ! gate.signal
