// Consoles over WebSockets: see CONSOLE_PATH of contract/machines.ts.

import type { IncomingMessage, Server } from "node:http";
import { WebSocketServer } from "ws";
import { consoleSize } from "../contract/machines.ts";
import type { ConsoleHub } from "./console-hub.ts";

/** Bytes that wait for a client: one that reads slower than the guest writes loses its console, as the guest waits for nobody. */
const BEHIND_MAX = 8 * 2 ** 20;
/** Bytes of a message from a client. */
const MESSAGE_MAX = 2 ** 20;

// RFC 6455, 7.4.1, and the IANA's registry.
const NORMAL = 1000;
const TRY_AGAIN_LATER = 1013;

/**
 * Serves consoles.
 * @param find the console of a request, by its path; @param allows whether who asks may have it.
 * @returns how to say goodbye to everybody.
 */
export function serveConsoles(
  server: Server,
  find: (path: string) => ConsoleHub | undefined,
  allows: (request: IncomingMessage) => boolean = () => true,
): (reason: string) => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX, perMessageDeflate: false });
  server.on("upgrade", (request, socket, head) => {
    const hub = allows(request) ? find(request.url ?? "") : undefined;
    if (hub === undefined) {
      const status = allows(request) ? "404 Not Found" : "401 Unauthorized";
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      const show = (bytes: Uint8Array): void => {
        if (client.bufferedAmount > BEHIND_MAX) {
          hub.leave(show);
          client.close(TRY_AGAIN_LATER, "too slow");
        } else client.send(bytes);
      };
      client.on("error", () => client.terminate());
      client.on("close", () => hub.leave(show));
      client.on("message", (data, isBinary) => {
        const bytes = data as Buffer;
        if (isBinary) hub.type(new Uint8Array(bytes));
        else {
          const size = consoleSize.safeParse(parse(bytes.toString()));
          if (size.success) hub.resize(size.data);
        }
      });
      client.send(hub.join(show));
    });
  });
  return (reason) => {
    for (const client of sockets.clients) client.close(NORMAL, reason);
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
