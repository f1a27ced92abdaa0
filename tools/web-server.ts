// Serves the page on this computer: `npm run web [-- --port N] [-- --plain]`. With the headers that give the page shared memory
// (cross-origin isolation), unless --plain is given.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { buildSite } from "./build-web.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

export interface WebServer {
  readonly url: string;
  close(): void;
}

/** @param isolated whether pages are cross-origin isolated. */
export async function serveSite(folder: string, port: number, isolated: boolean): Promise<WebServer> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname));
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    const inside = file.startsWith(join(folder, "/")) && existsSync(file) && statSync(file).isFile();
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    response.setHeader("Cache-Control", "no-cache");
    if (!inside) response.writeHead(404).end("not found\n");
    else send(file, request.headers.range, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close: () => close(server) };
}

function close(server: Server): void {
  server.closeAllConnections();
  server.close();
}

function send(file: string, range: string | undefined, response: ServerResponse): void {
  const { size } = statSync(file);
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
  response.setHeader("Accept-Ranges", "bytes");
  if (first === undefined) {
    response.writeHead(200, { "Content-Length": size });
    createReadStream(file).pipe(response);
    return;
  }
  const start = Number(first);
  const end = Math.min(size - 1, last ? Number(last) : size - 1);
  if (start > end) {
    response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
    return;
  }
  response.writeHead(206, { "Content-Range": `bytes ${start}-${end}/${size}`, "Content-Length": end - start + 1 });
  createReadStream(file, { start, end }).pipe(response);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8000" }, plain: { type: "boolean" } } });
  try {
    const { url } = await serveSite(await buildSite(), Number(values.port), values.plain !== true);
    console.log(`The page is at ${url}`);
  } catch (error) {
    console.error(`cannot serve at port ${values.port}: ${(error as Error).message}`);
    process.exit(1);
  }
}
