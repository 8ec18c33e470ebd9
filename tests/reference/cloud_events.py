#!/usr/bin/env python3
"""Whether the SDK of the CloudEvents project reads our events, and what it finds in them.

Reads plugins/core/tests/goldens/messages/cloudevents.txt and writes beside it, as
cloudevents-sdk.json, the attributes and data of each event as the SDK has understood them; the
test `message_goldens` compares. Needs cloudevents 2.2.0 from PyPI:

    python3 tests/reference/cloud_events.py
"""

import json
import pathlib

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

FOLDER = pathlib.Path(__file__).parents[2] / "plugins/core/tests/goldens/messages"


def main():
    lines = (FOLDER / "cloudevents.txt").read_text().splitlines()
    found = []
    for line in lines[1::2]:
        event = JSONFormat().read(CloudEvent, line)
        time = event.get_time().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        attributes = dict(event.get_attributes(), time=time)
        found.append({**attributes, "data": event.get_data()})
    (FOLDER / "cloudevents-sdk.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
