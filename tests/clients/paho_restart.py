"""Eclipse Paho for Python while the broker is killed and comes back: PORT VERSION, and the accounts one/one and two/two.

`two` publishes numbers at QoS 2, and `one`, whose session stays, must hear each of them once. When half of them are published,
"half" is printed: then the broker is to be killed and started again.
"""

import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

LIMIT = 100
COUNT = 120
port, version = int(sys.argv[1]), {"3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}[sys.argv[2]]


def connect(name, on_connect=None, on_message=None):
    """A client whose session outlives its connections, and which comes back by itself."""
    options = {} if version == mqtt.MQTTv5 else {"clean_session": False}
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=version, **options)
    client.username_pw_set(name, name)
    client.reconnect_delay_set(min_delay=1, max_delay=1)
    client.on_connect, client.on_message = on_connect, on_message
    if version == mqtt.MQTTv5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    else:
        client.connect("127.0.0.1", port)
    client.loop_start()
    return client


delivered = set()
delivery = threading.Condition()


def on_publish(client, data, number, reason, properties):
    with delivery:
        delivered.add(number)
        delivery.notify()


def wait_for(info):
    """Paho's own wait gives up a message that was published while there was no connection, though it sends it later."""
    with delivery:
        assert delivery.wait_for(lambda: info.mid in delivered, LIMIT), f"not delivered: {info}"


heard, present = [], []
subscribed, all_heard, last_heard = threading.Event(), threading.Event(), threading.Event()


def on_connect(client, data, flags, reason, properties):
    present.append(flags.session_present)
    if not flags.session_present:
        client.subscribe("lab/once", 2)


def on_message(client, data, message):
    heard.append(int(message.payload))
    if len(set(heard)) == COUNT:
        all_heard.set()
    if heard[-1] == COUNT:
        last_heard.set()


one = connect("one", on_connect, on_message)
one.on_subscribe = lambda *arguments: subscribed.set()
assert subscribed.wait(LIMIT), "not subscribed"
two = connect("two")
two.on_publish = on_publish
waiting = []
for number in range(COUNT):
    waiting.append(two.publish("lab/once", str(number), 2))
    if number == COUNT // 2:
        wait_for(waiting[-1])
        print("half", flush=True)
    # A few at a time, so that the broker dies among them.
    if len(waiting) > 5:
        wait_for(waiting.pop(0))
for info in waiting:
    wait_for(info)
assert all_heard.wait(LIMIT), f"{len(set(heard))} of {COUNT}"

# What would come twice comes before the end.
wait_for(two.publish("lab/once", str(COUNT), 2))
assert last_heard.wait(LIMIT), "the last one"
assert sorted(heard) == list(range(COUNT + 1)), [number for number in set(heard) if heard.count(number) > 1]
assert present[0] is False and len(present) > 1 and all(present[1:]), present
for client in (one, two):
    client.disconnect()
    client.loop_stop()
print("each came once")
