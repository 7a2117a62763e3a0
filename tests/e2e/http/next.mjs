// Calls a Next.js route handler as Next does: with a Request of the web standard, and writes the Response that it returns.
// usage: node next.mjs ROUTE-FILE   (PORT: where to listen)
import http from 'node:http';
import { pathToFileURL } from 'node:url';

const route = await import(pathToFileURL(process.argv[2]));

http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, headers, url } = request;
  if (!(method in route)) return response.writeHead(405).end();
  try {
    const answer = await route[method](new Request(`http://localhost${url}`, { method, headers, body: Buffer.concat(chunks) }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(process.env.PORT, '127.0.0.1');
