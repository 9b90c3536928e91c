// Web push as a browser and a push service do it, by Node's cryptography alone (RFC 8291, RFC 8188, RFC 8292). Run by itself it
// answers on standard output what standard input asks: `keys`, `read` of a message, or `all`: that of many.
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const bytes = text => Buffer.from(text, 'base64url');

// What a browser makes for a subscription; `private` stays in it.
export function keys() {
  const curve = createECDH('prime256v1');
  const p256dh = curve.generateKeys('base64url');
  return { private: curve.getPrivateKey('base64url'), p256dh, auth: randomBytes(16).toString('base64url') };
}

// What was pushed, and the claims of who pushed it. Throws unless the server with that public key has signed, and for that browser.
export function read({ authorization, vapid, body: text, ...browser }) {
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(authorization);
  if (key !== vapid) throw new Error('another key');
  const [head, claims, signature] = token.split('.');
  const point = bytes(key);
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const trusted = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  if (!verify('sha256', Buffer.from(`${head}.${claims}`), trusted, bytes(signature))) throw new Error('not signed');

  const body = bytes(text);
  const salt = body.subarray(0, 16);
  const length = body[20];
  const theirs = body.subarray(21, 21 + length);
  const record = body.subarray(21 + length);
  if (record.length > body.readUInt32BE(16)) throw new Error('longer than a record');
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(bytes(browser.private));
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), bytes(browser.p256dh), theirs]);
  const input = hkdfSync('sha256', curve.computeSecret(theirs), bytes(browser.auth), info, 32);
  const cek = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: aes128gcm\0', 16));
  const nonce = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: nonce\0', 12));
  const decipher = createDecipheriv('aes-128-gcm', cek, nonce);
  decipher.setAuthTag(record.subarray(-16));
  const plain = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  if (plain.at(-1) !== 2) throw new Error('not the last record');
  return { claims: JSON.parse(bytes(claims)), note: JSON.parse(plain.subarray(0, -1).toString('utf8')) };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const asked = JSON.parse(readFileSync(0, 'utf8'));
  const answers = { keys, read: () => read(asked), all: () => asked.messages.map(read) };
  process.stdout.write(JSON.stringify(answers[asked.what]()));
}
