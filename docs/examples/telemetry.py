#!/usr/bin/env python3
"""Prints the live telemetry of a fleet: time, plate (or VIN), speed in km/h, latitude, longitude.

    pip install -r docs/examples/requirements.txt
    telemetry.py --host fleet.example.org --port 8884 --ca ca.crt --user weather --password-file weather.password
"""

import argparse
import csv
import datetime
import sys

import msgpack
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "fleet/v1/+/up/telemetry"
SCHEMA = 1


def samples(payload):
    """The samples of a batch, which is columns: `keys` once, and in each row the time and a value for each key."""
    batch = msgpack.unpackb(payload)
    if batch["v"] > SCHEMA:
        raise ValueError(f"schema {batch['v']} is newer than this program")
    for dt_ms, *values in batch["rows"]:
        yield batch["vin"], batch["t0"] + dt_ms, dict(zip(batch["keys"], values))


def line(vin, ms, values, plates):
    time = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat(timespec="milliseconds")
    # The wheels' speed where the car tells it, else the receiver's. What was not measured is None.
    speed = values.get("spd")
    if speed is None:
        speed = values.get("gspd")
    cells = [plates.get(vin, vin), speed, values.get("lat"), values.get("lon")]
    return "\t".join([time, *("-" if cell is None else str(cell) for cell in cells)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8884)
    parser.add_argument("--ca", help="the fleet's ca.crt; without it the connection is not encrypted")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True, type=argparse.FileType())
    parser.add_argument("--plates", type=argparse.FileType(), help="CSV of VIN,plate: plates are not on MQTT")
    options = parser.parse_args()
    plates = dict(csv.reader(options.plates)) if options.plates else {}

    def on_connect(client, userdata, flags, reason, properties):
        if reason.is_failure:
            sys.exit(f"refused: {reason}")
        client.subscribe(TOPIC, qos=1)

    def on_subscribe(client, userdata, mid, reasons, properties):
        if reasons[0].is_failure:
            sys.exit(f"may not read {TOPIC}: {reasons[0]}")
        print("listening", file=sys.stderr, flush=True)

    def on_message(client, userdata, message):
        try:
            for vin, ms, values in samples(message.payload):
                print(line(vin, ms, values, plates), flush=True)
        except (ValueError, KeyError, TypeError) as error:
            print(f"{message.topic}: not understood: {error!r}", file=sys.stderr, flush=True)

    # The client identifier is the user name: an account is for one program.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=options.user, protocol=mqtt.MQTTv5)
    client.username_pw_set(options.user, options.password_file.readline().rstrip("\n"))
    if options.ca:
        client.tls_set(ca_certs=options.ca)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect(options.host, options.port)
    client.loop_forever()


if __name__ == "__main__":
    main()
