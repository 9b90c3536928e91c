// Web push as a browser and a push service do it, by Node's cryptography alone (RFC 8291, RFC 8188, RFC 8292).
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const asked = JSON.parse(readFileSync(0, 'utf8'));
const bytes = text => Buffer.from(text, 'base64url');
const curve = createECDH('prime256v1');

if (asked.what === 'keys') {
  const p256dh = curve.generateKeys('base64url');
  const answer = { private: curve.getPrivateKey('base64url'), p256dh, auth: randomBytes(16).toString('base64url') };
  process.stdout.write(JSON.stringify(answer));
} else {
  const [, token, key] = /^vapid t=([^,]+), k=(.+)$/.exec(asked.authorization);
  if (key !== asked.vapid) throw new Error('another key');
  const [head, claims, signature] = token.split('.');
  const point = bytes(key);
  const jwk = { kty: 'EC', crv: 'P-256', x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  const trusted = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' };
  if (!verify('sha256', Buffer.from(`${head}.${claims}`), trusted, bytes(signature))) throw new Error('not signed');

  const body = bytes(asked.body);
  const salt = body.subarray(0, 16);
  const length = body[20];
  const theirs = body.subarray(21, 21 + length);
  const record = body.subarray(21 + length);
  if (record.length > body.readUInt32BE(16)) throw new Error('longer than a record');
  curve.setPrivateKey(bytes(asked.private));
  const secret = curve.computeSecret(theirs);
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), bytes(asked.p256dh), theirs]);
  const input = hkdfSync('sha256', secret, bytes(asked.auth), info, 32);
  const cek = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: aes128gcm\0', 16));
  const nonce = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: nonce\0', 12));
  const decipher = createDecipheriv('aes-128-gcm', cek, nonce);
  decipher.setAuthTag(record.subarray(-16));
  const text = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()]);
  if (text.at(-1) !== 2) throw new Error('not the last record');
  const note = JSON.parse(text.subarray(0, -1).toString('utf8'));
  process.stdout.write(JSON.stringify({ claims: JSON.parse(bytes(claims)), note }));
}
