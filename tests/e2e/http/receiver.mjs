// The receiver of the end-to-end tests: one process that listens in every way that they need, writes each request as a line of JSON to
// FOLDER/requests before it answers, and answers as the path says (answers.mjs).
// usage: node receiver.mjs FOLDER   (NPM_HOME: where node_modules is)
// In FOLDER: keys.json for verify.mjs, and certificates (certificates.sh) or none. FOLDER/ports gets lines NAME=PORT when all listen.
import { createHash } from 'node:crypto';
import { existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import { answer } from './answers.mjs';
import { verifier } from './verify.mjs';

const folder = process.argv[2];
const file = (name) => readFileSync(join(folder, name));
const log = openSync(join(folder, 'requests'), 'a');
const verify = existsSync(join(folder, 'keys.json')) ? verifier(JSON.parse(file('keys.json'))) : () => ({});
const state = { answers: new Map(), mode: 'up', underWay: 0 };
const numbers = new WeakMap(); // of connections
let connections = 0;

function numberOf(socket) {
  if (!numbers.has(socket)) numbers.set(socket, ++connections);
  return numbers.get(socket);
}

// For HTTP/2 the session's socket, of which the request has only a shadow.
function connectionOf(request) {
  return request.stream?.session ? numberOf(request.stream.session) : numberOf(request.socket);
}

function record(listener, request, body) {
  const { headers, socket } = request;
  const line = {
    at: Date.now(), mode: state.mode, listener, path: request.url, method: request.method, version: request.httpVersion,
    connection: connectionOf(request), from: socket.remoteAddress, id: headers['webhook-id'],
    timestamp: Number(headers['webhook-timestamp']), key: headers['idempotency-key'], attempt: Number(headers['outbox-attempt']),
    kind: headers['outbox-kind'], bytes: body.length, sha256: createHash('sha256').update(body).digest('hex'),
    client: socket.getPeerCertificate?.()?.subject?.CN, ...(headers['outbox-kind'].endsWith('signed') ? verify(headers, body) : {}),
  };
  writeSync(log, `${JSON.stringify(line)}\n`);
}

const handler = (listener) => async (request, response) => {
  state.underWay++;
  response.on('close', () => state.underWay--);
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return; // it went away
  }
  record(listener, request, Buffer.concat(chunks));
  answer(state, request, response);
};

function listen(name, server, host = '127.0.0.1', port = 0) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.on('tlsClientError', () => {});
    server.on('sessionError', () => {});
    server.listen({ host, port, ipv6Only: host.includes(':'), backlog: 1024 }, () => resolve(`${name}=${server.address().port}`));
  });
}

const tls = (name) => ({ cert: file(`${name}.pem`), key: file(`${name}.key`) });
let plain = http.createServer(handler('plain'));
const ports = [await listen('plain', plain)];
const port = plain.address().port;

// mode: up, down (503), fast (204 at once), or refuse: nobody listens. GET tells how many requests are under way.
const control = http.createServer(async (request, response) => {
  const mode = request.url.slice(1);
  if (mode !== '') {
    if (mode === 'refuse') {
      plain.closeAllConnections();
      await new Promise((resolve) => plain.close(resolve));
    } else if (state.mode === 'refuse') {
      plain = http.createServer(handler('plain'));
      await listen('plain', plain, '127.0.0.1', port);
    }
    state.mode = mode;
  }
  response.end(`${state.underWay}\n`);
});
ports.push(await listen('control', control));
try {
  ports.push(await listen('v6', http.createServer(handler('v6')), '::1'));
} catch (error) {
  if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') throw error;
}
if (existsSync(join(folder, 'good.pem'))) {
  for (const name of ['good', 'unknown', 'expired', 'other_host'])
    ports.push(await listen(name, https.createServer(tls(name), handler(name))));
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  ports.push(await listen('old_tls', https.createServer({ ...tls('good'), ...old }, handler('old_tls'))));
  const asks = { ca: file('ca.pem'), requestCert: true, rejectUnauthorized: true };
  ports.push(await listen('mutual', https.createServer({ ...tls('good'), ...asks }, handler('mutual'))));
  ports.push(await listen('h2', http2.createSecureServer(tls('good'), handler('h2'))));
}
writeFileSync(join(folder, 'ports.new'), `${ports.join('\n')}\n`);
renameSync(join(folder, 'ports.new'), join(folder, 'ports'));
