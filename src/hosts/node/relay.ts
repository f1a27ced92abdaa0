// A user-mode network for machines elsewhere, as in web pages: each WebSocket is the cable of one machine, each message a frame.

import { timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { FRAME_MAX, Frame } from "../../network/frame.ts";
import { decodeFrame, encodeFrame, HEADER_BYTES } from "../../network/frame-message.ts";
import { UserNetwork } from "../../network/user-network.ts";
import { RELAY_PROTOCOL } from "../library/relay-link.ts";
import { HostClock } from "./host-clock.ts";
import { listenAt, type TcpAddress } from "./listen.ts";
import { NodeNetwork } from "./network-host.ts";

/** Machines at a time. */
const MOST_MACHINES = 32;
/** Bytes that wait for a machine; no more frames are made for it then. */
const WAITING_MAX = 0x10_0000;
/** Milliseconds until a machine that could not keep up is looked at again. */
const LATER = 5;

export interface RelayOptions extends TcpAddress {
  /** What whoever connects has to know: any web page could, otherwise. */
  readonly token: string;
}

export interface Relay {
  readonly port: number;
  close(): void;
}

/** @throws BadInput when the address cannot be had. */
export async function serveRelay({ host, port, token }: RelayOptions): Promise<Relay> {
  const wanted = Buffer.from(`token.${token}`);
  const isAllowed = (protocols: string): boolean =>
    protocols
      .split(",")
      .map((protocol) => Buffer.from(protocol.trim()))
      .some((given) => given.length === wanted.length && timingSafeEqual(given, wanted));
  const server = createServer((_request, response) => {
    response.writeHead(426, { "content-type": "text/plain", connection: "close" });
    response.end("This is a relay of Atoll's: a machine's network connects to it.\n");
  });
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: HEADER_BYTES + FRAME_MAX,
    handleProtocols: (protocols) => (protocols.has(RELAY_PROTOCOL) ? RELAY_PROTOCOL : false),
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    const isFull = webSockets.clients.size >= MOST_MACHINES;
    if (isFull || !isAllowed(request.headers["sec-websocket-protocol"] ?? "")) {
      socket.end(`HTTP/1.1 ${isFull ? "503 Service Unavailable" : "403 Forbidden"}\r\nconnection: close\r\n\r\n`);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, serveMachine);
  });
  const at = await listenAt(server, { host, port });
  return {
    port: at,
    close: () => {
      for (const client of webSockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The machine at the other end of a WebSocket has a network of its own. */
function serveMachine(socket: WebSocket): void {
  const frame = new Frame();
  let timer: NodeJS.Timeout | undefined;
  let isScheduled = false;
  const pump = (): void => {
    isScheduled = false;
    while (socket.readyState === socket.OPEN) {
      if (socket.bufferedAmount > WAITING_MAX) {
        clearTimeout(timer);
        timer = setTimeout(pump, LATER);
        return;
      }
      const next = network.receive();
      if (next === undefined) return;
      socket.send(encodeFrame(next));
    }
  };
  const soon = (): void => {
    if (!isScheduled) setImmediate(pump);
    isScheduled = true;
  };
  const network = new UserNetwork(new NodeNetwork(soon));
  const clock = new HostClock(soon);
  network.attach({ clock, ready: soon, announce: () => {} });
  socket.on("message", (data, isBinary) => {
    if (!isBinary || !(data instanceof Buffer) || !decodeFrame(data, frame)) return;
    network.transmit(frame);
    soon();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    clearTimeout(timer);
    clock.close();
    network.close();
  });
}
