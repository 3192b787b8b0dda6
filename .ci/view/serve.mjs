// Serves the test's host page and the pages of views on loopback, and hands /mcp on to
// the server. The views come from another origin, with the policy that the specification
// gives a page that names no domains.
import http from 'node:http';
import { readFile } from 'node:fs/promises';

const policy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'";

// serve returns {url, setBroken, close}. A broken link ends every request to the server.
export async function serve(folder, serverURL) {
  const pages = [];
  const open = new Set(); // requests to the server that are not answered
  let isBroken = false;
  const views = http.createServer((request, response) => {
    const page = pages[Number(request.url.slice(1))];
    response.writeHead(page ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
    response.end(page);
  });
  const viewsURL = await listen(views);
  const host = http.createServer(async (request, response) => {
    if (request.url.startsWith('/mcp')) return forward(request, response);
    if (request.url === '/page') {
      pages.push(await text(request));
      response.end(JSON.stringify({ path: `${viewsURL}/${pages.length - 1}` }));
      return;
    }
    const name = request.url === '/host.js' ? 'host.js' : 'host.html';
    response.writeHead(200, { 'Content-Type': name.endsWith('js') ? 'text/javascript' : 'text/html; charset=utf-8' });
    response.end(await readFile(`${folder}/${name}`));
  });

  function forward(request, response) {
    if (isBroken) return request.socket.destroy();
    const { host: _, origin: __, referer: ___, ...headers } = request.headers;
    const upstream = http.request(serverURL, { method: request.method, headers: { ...headers, 'x-api-key': 'sandbox-key' } }, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    open.add(response);
    response.on('close', () => { open.delete(response); upstream.destroy(); });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  }

  function setBroken(broken) {
    isBroken = broken;
    if (broken) for (const response of open) response.destroy();
  }

  const url = await listen(host);
  return { url, setBroken, close: () => { for (const server of [views, host]) { server.close(); server.closeAllConnections(); } } };
}

async function listen(server) {
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

async function text(request) {
  let all = '';
  request.setEncoding('utf8');
  for await (const part of request) all += part;
  return all;
}
