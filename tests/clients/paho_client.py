"""What Eclipse Paho for Python does with the broker: PORT VERSION, and the two accounts one/one and two/two."""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

LIMIT = 60
port, version = int(sys.argv[1]), {"3.1.1": mqtt.MQTTv311, "5.0": mqtt.MQTTv5}[sys.argv[2]]


class Client:
    """A client whose every answer can be waited for."""

    def __init__(self, name, password=None, will=None):
        self.connected, self.subscribed, self.messages = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, reconnect_on_failure=False
        )
        self.client.username_pw_set(name, name if password is None else password)
        if will:
            self.client.will_set(*will, qos=1)
        self.client.on_connect = lambda client, data, flags, reason, properties: self.connected.put(reason)
        self.client.on_subscribe = lambda client, data, mid, reasons, properties: self.subscribed.put(reasons[0])
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.reason = self.connected.get(timeout=LIMIT)

    def subscribe(self, topic, qos=1):
        self.client.subscribe(topic, qos)
        return self.subscribed.get(timeout=LIMIT)

    def publish(self, topic, payload, qos=1, retain=False):
        info = self.client.publish(topic, payload, qos, retain)
        info.wait_for_publish(LIMIT)
        assert info.is_published()

    def expect(self, topic, payload, retain=False):
        message = self.messages.get(timeout=LIMIT)
        got = (message.topic, bytes(message.payload), bool(message.retain))
        assert got == (topic, payload, retain), (got[0], got[1][:40], got[2])

    def vanish(self):
        """Ends without DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


one, two = Client("one"), Client("two")
assert not one.reason.is_failure and not two.reason.is_failure

for qos in (0, 1):
    assert one.subscribe(f"lab/qos{qos}/exact", qos).value == qos
    two.publish(f"lab/qos{qos}/exact", b"hello", qos)
    one.expect(f"lab/qos{qos}/exact", b"hello")

one.subscribe("lab/+/plus")
one.subscribe("lab/tree/#")
two.publish("lab/wild/plus/not", b"no")
two.publish("lab/wild/plus", b"plus")
one.expect("lab/wild/plus", b"plus")
two.publish("lab/tree/a/b", b"hash")
one.expect("lab/tree/a/b", b"hash")

two.publish("lab/retained", b"kept", retain=True)
one.subscribe("lab/retained")
one.expect("lab/retained", b"kept", retain=True)
two.publish("lab/retained", b"", retain=True)
one.expect("lab/retained", b"")

large = bytes(n * 7 % 251 for n in range(200_000))
two.publish("lab/tree/large", large)
one.expect("lab/tree/large", large)

two.leave()
two = Client("two", will=("lab/tree/will", b"gone"))
two.vanish()
one.expect("lab/tree/will", b"gone")

wrong = Client("two", password="wrong")
assert wrong.reason.is_failure and wrong.reason.getName() in ("Bad user name or password", "Not authorized"), wrong.reason
one.leave()
print("all of it works")
