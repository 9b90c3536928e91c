"""What pynmea2 makes of a recording: every valid RMC, and the altitude of every GGA, one JSON object a line."""

import datetime
import gzip
import json
import re
import sys

import pynmea2

with (gzip.open if sys.argv[1].endswith(".gz") else open)(sys.argv[1], "rb") as file:
    content = file.read()
for line in re.findall(rb"\$[^$\r\n]*", content):
    try:
        sentence = pynmea2.parse(line.decode("ascii").rstrip(), check=True)
    except (pynmea2.ParseError, UnicodeDecodeError):
        continue
    kind, time = getattr(sentence, "sentence_type", None), getattr(sentence, "timestamp", None)
    if kind not in ("RMC", "GGA") or not isinstance(time, datetime.time):
        continue
    day_ms = ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.microsecond // 1000
    if kind == "GGA":
        if sentence.gps_qual:
            print(json.dumps({"kind": "GGA", "time": day_ms, "alt": sentence.altitude}))
    elif sentence.status == "A":
        print(json.dumps({
            "kind": "RMC",
            "time": day_ms,
            "date": sentence.datestamp.isoformat(),
            "lat": sentence.latitude,
            "lon": sentence.longitude,
            "knots": sentence.spd_over_grnd,
            "course": sentence.true_course,
        }))
