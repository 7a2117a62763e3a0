// Who of the receivers that share a sender with us accepts a request: HMAC by the public package standardwebhooks, ed25519 by Node.
// In keys: name → whsec_… (HMAC) or whpk_… (the public half of an ed25519 key). Returns name → true, or why not.
import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { createRequire } from 'node:module';

function hmac(secret) {
  const { Webhook } = createRequire(`${process.env.NPM_HOME}/`)('standardwebhooks');
  const webhook = new Webhook(secret);
  return (headers, body) => {
    try {
      webhook.verify(body.toString(), headers);
      return true;
    } catch (error) {
      return error.message;
    }
  };
}

function ed25519(text) {
  const prefix = Buffer.from('302a300506032b6570032100', 'hex'); // SubjectPublicKeyInfo of ed25519
  const der = Buffer.concat([prefix, Buffer.from(text.slice('whpk_'.length), 'base64')]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return (headers, body) => {
    const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
    const ours = (headers['webhook-signature'] ?? '').split(' ').filter((one) => one.startsWith('v1a,'));
    return ours.some((one) => verifySignature(null, signed, key, Buffer.from(one.slice('v1a,'.length), 'base64')));
  };
}

export function verifier(keys) {
  const checks = Object.entries(keys).map(([name, key]) => [name, key.startsWith('whpk_') ? ed25519(key) : hmac(key)]);
  return (headers, body) => Object.fromEntries(checks.map(([name, check]) => [name, check(headers, body)]));
}
