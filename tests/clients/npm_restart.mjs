// `mqtt` of npm while the broker is killed and comes back: URL VERSION, and the accounts one/one, two/two and three/three.
//
// `two` publishes numbers at QoS 2; `one`, whose session stays, must hear each of them once, and so must `three` and `four`
// together, who share a subscription where the version has such. When half of them are published, "half" is printed: then the
// broker is to be killed and started again.
import assert from "node:assert/strict";
import mqtt from "mqtt";

const [url, version] = process.argv.slice(2);
const protocolVersion = { "3.1.1": 4, "5.0": 5 }[version];
const COUNT = 120;
const all = Array.from({ length: COUNT }, (_, number) => number);

function connect(name) {
  const account = { clientId: name, username: name, password: name, protocolVersion };
  const session = { clean: false, properties: { sessionExpiryInterval: 3600 }, reconnectPeriod: 200 };
  return mqtt.connectAsync(url, { ...account, ...session }, false);
}

/** Hears numbers until all of `wanted` are there; where several listen, each is heard by one of them. */
async function listen(names, filter) {
  const heard = [];
  const clients = [];
  let done;
  const complete = new Promise((resolve) => (done = resolve));
  for (const name of names) {
    const client = await connect(name);
    client.on("message", (topic, payload) => {
      heard.push(Number(payload.toString()));
      if (new Set(heard).size > COUNT) done();
    });
    const [granted] = await client.subscribeAsync(filter, { qos: 2 });
    assert.equal(granted.qos, 2);
    clients.push(client);
  }
  return { heard, clients, complete };
}

const listeners = [await listen(["one"], "lab/once")];
if (version === "5.0") listeners.push(await listen(["three", "four"], "$share/team/lab/once"));
const two = await connect("two");
const publish = (number) => two.publishAsync("lab/once", String(number), { qos: 2 });

const half = COUNT / 2;
for (const number of all.slice(0, half)) await publish(number);
console.log("half");
// A few at a time, so that the broker dies among them.
for (let at = half; at < COUNT; at += 5) await Promise.all(all.slice(at, at + 5).map(publish));
// What would come twice comes before the end.
await publish(COUNT);
for (const { heard, clients, complete } of listeners) {
  await complete;
  assert.deepEqual(heard.toSorted((a, b) => a - b), [...all, COUNT]);
  for (const client of clients) await client.endAsync();
}
await two.endAsync();
console.log("each came once");
