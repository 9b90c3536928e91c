// What `mqtt` of npm does with the broker: URL VERSION, and the two accounts one/one and two/two.
import assert from "node:assert/strict";
import mqtt from "mqtt";

const [url, version] = process.argv.slice(2);
const protocolVersion = { "3.1.1": 4, "5.0": 5 }[version];

function connect(name, options = {}) {
  const account = { clientId: name, username: name, password: name };
  return mqtt.connectAsync(url, { ...account, protocolVersion, reconnectPeriod: 0, ...options }, false);
}

/** The messages that come, one after the other. */
function inbox(client) {
  const waiting = [];
  const readers = [];
  client.on("message", (topic, payload, packet) => {
    const message = { topic, payload, retain: packet.retain };
    const reader = readers.shift();
    reader ? reader(message) : waiting.push(message);
  });
  return () => (waiting.length > 0 ? Promise.resolve(waiting.shift()) : new Promise((reader) => readers.push(reader)));
}

const one = await connect("one");
let two = await connect("two");
const next = inbox(one);

async function expect(topic, payload, retain = false) {
  const message = await next();
  assert.deepEqual({ ...message, payload: message.payload.toString() }, { topic, payload: payload.toString(), retain });
}

for (const qos of [0, 1]) {
  const [granted] = await one.subscribeAsync(`lab/qos${qos}/exact`, { qos });
  assert.equal(granted.qos, qos);
  await two.publishAsync(`lab/qos${qos}/exact`, "hello", { qos });
  await expect(`lab/qos${qos}/exact`, "hello");
}

await one.subscribeAsync(["lab/+/plus", "lab/tree/#"], { qos: 1 });
await two.publishAsync("lab/wild/plus/not", "no", { qos: 1 });
await two.publishAsync("lab/wild/plus", "plus", { qos: 1 });
await expect("lab/wild/plus", "plus");

await two.publishAsync("lab/retained", "kept", { qos: 1, retain: true });
await one.subscribeAsync("lab/retained", { qos: 1 });
await expect("lab/retained", "kept", true);
await two.publishAsync("lab/retained", "", { qos: 1, retain: true });
await expect("lab/retained", "");

const large = Buffer.alloc(200_000, "0123456789");
await two.publishAsync("lab/tree/large", large, { qos: 1 });
await expect("lab/tree/large", large);

await two.endAsync();
two = await connect("two", { will: { topic: "lab/tree/will", payload: Buffer.from("gone"), qos: 1, retain: false } });
two.stream.destroy();
await expect("lab/tree/will", "gone");

await assert.rejects(connect("two", { password: "wrong" }), (error) => [4, 5, 0x86, 0x87].includes(error.code));
await one.endAsync();
console.log("all of it works");
process.exit(0);
