// How the receiver answers: /status/CODE always with that code; the others misbehave at the first request of each webhook-id, and say 204
// from the second on.
import { gzipSync } from 'node:zlib';

// What a connection that breaks has sent before.
const torn = {
  '/cut-headers': 'HTTP/1.1 200 OK\r\nContent-Le',
  '/cut-body': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of',
};

function tear(socket, text) {
  socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 20)); // so that it is read before the reset
}

function endless(response) {
  response.writeHead(200);
  const piece = Buffer.alloc(65536, 'x');
  const more = () => { while (!response.destroyed && response.write(piece)); };
  response.on('drain', more);
  more();
}

const first = {
  '/flaky': (response) => response.writeHead(500).end('try again'),
  '/busy': (response) => response.writeHead(429, { 'Retry-After': '2' }).end(),
  '/busy-date': (response) => response.writeHead(503, { 'Retry-After': new Date(Date.now() + 2000).toUTCString() }).end(),
  '/hangs': () => {},
  '/zipped': (response) => response.writeHead(500, { 'Content-Encoding': 'gzip' }).end(gzipSync('not now')),
};

// After so many ms, from the second request on as well.
const delays = { '/slow': 1000 };

function plainly(request, response) {
  const [, what, code] = request.url.split('/');
  const headers = code?.startsWith('3') ? { Location: '/elsewhere' } : {};
  response.writeHead(what === 'status' ? Number(code) : 204, headers).end();
}

export function answer(state, request, response) {
  const { url } = request;
  const id = request.headers['webhook-id'];
  const count = (state.answers.get(id) ?? 0) + 1;
  state.answers.set(id, count);
  if (state.mode === 'down') return response.writeHead(503).end('down for a while');
  if (state.mode === 'fast') return plainly(request, response);
  if (url === '/endless') return endless(response);
  if (url in delays) return setTimeout(() => plainly(request, response), delays[url]);
  if (url in torn && count === 1) return tear(request.socket, torn[url]);
  if (url in first && count === 1) return first[url](response);
  if (url === '/flaky' && count === 2) return response.writeHead(502).end();
  return plainly(request, response);
}
