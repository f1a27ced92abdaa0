// Where VNC clients connect: a TCP socket on which RFB is spoken, by itself or in WebSockets, as a browser's clients do.

import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { RfbServer } from "../../network/rfb/server.ts";
import type { RfbConnection } from "../../network/rfb/session.ts";
import { listenAt, type TcpAddress } from "./listen.ts";

/** Connections at a time. */
const MOST_CONNECTIONS = 32;
/** Milliseconds that a client has to begin with HTTP; one that speaks RFB waits for the server to begin. */
const SILENCE = 250;
/** ... and to come to the end of its request. */
const REQUEST_TIME = 10_000;
/** The first byte of a request of HTTP's: G of GET, the only one that opens a WebSocket. */
const GET = 0x47;
/** Clients' messages are small. */
const MESSAGE_MAX = 0x10_0000;
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

export class VncSocket {
  readonly #server: Server;
  /** Where clients connect. */
  readonly port: number;
  readonly #http: HttpServer;
  readonly #webSockets: WebSocketServer;
  readonly #rfb: RfbServer;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, rfb: RfbServer, anyOrigin: boolean) {
    this.#server = server;
    this.port = port;
    this.#rfb = rfb;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: MESSAGE_MAX,
      handleProtocols: (protocols) => (protocols.has("binary") ? "binary" : false),
    });
    this.#http = createHttpServer((_request, response) => {
      response.writeHead(426, { "content-type": "text/plain", upgrade: "websocket", connection: "close" });
      response.end("This is a VNC server: connect to it with a VNC client, or with noVNC.\n");
    });
    this.#http.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      // Any page that a browser shows may connect to this computer: without a password, only those that this computer serves may.
      if (!anyOrigin && !isOwnPage(request.headers.origin)) {
        socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n");
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#serveWebSocket(webSocket, socket));
    });
    server.on("connection", (socket) => this.#connect(socket));
  }

  /** @param anyOrigin web pages from anywhere may connect. @throws BadInput when the address cannot be listened at. */
  static async listen(address: TcpAddress, rfb: RfbServer, anyOrigin: boolean): Promise<VncSocket> {
    const server = createServer({ noDelay: true });
    server.maxConnections = MOST_CONNECTIONS;
    return new VncSocket(server, await listenAt(server, address), rfb, anyOrigin);
  }

  close(): void {
    this.#rfb.close();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    const begin = (first?: Buffer): void => {
      clearTimeout(silence);
      socket.off("data", begin);
      if (first?.[0] === GET) {
        // A request that never comes to its end.
        socket.setTimeout(REQUEST_TIME, () => socket.destroy());
        socket.pause();
        socket.unshift(first);
        this.#http.emit("connection", socket);
        socket.resume();
      } else {
        this.#serveSocket(socket, first);
      }
    };
    const silence = setTimeout(begin, SILENCE);
    socket.on("close", () => clearTimeout(silence));
    socket.on("data", begin);
  }

  #serveSocket(socket: Socket, first: Buffer | undefined): void {
    if (socket.destroyed) return;
    const session = this.#rfb.connect(connectionOf(socket, (bytes) => socket.write(bytes)));
    if (first !== undefined) session.receive(first);
    socket.on("data", (bytes: Buffer) => session.receive(bytes));
    socket.on("close", () => this.#rfb.disconnected(session));
  }

  #serveWebSocket(webSocket: WebSocket, socket: Socket): void {
    socket.setTimeout(0);
    const connection = connectionOf(socket, (bytes) => webSocket.send(bytes));
    const session = this.#rfb.connect({ ...connection, close: () => webSocket.close() });
    webSocket.binaryType = "nodebuffer";
    webSocket.on("message", (data: Buffer) => session.receive(data));
    webSocket.on("error", () => socket.destroy());
    webSocket.on("close", () => this.#rfb.disconnected(session));
  }
}

function connectionOf(socket: Socket, write: (bytes: Uint8Array) => void): RfbConnection {
  return {
    write: (bytes) => {
      if (socket.writable) write(bytes);
    },
    // What Node holds for a client that reads slowly is bounded by its high-water mark, and by one write.
    drained: () => {
      if (!socket.writable || !socket.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          socket.off("drain", done);
          socket.off("close", done);
          resolve();
        };
        socket.on("drain", done);
        socket.on("close", done);
      });
    },
    close: () => socket.end(),
    later: (milliseconds, action) => void setTimeout(action, milliseconds).unref(),
  };
}

function isOwnPage(origin: string | undefined): boolean {
  // Programs that are no browsers send none.
  if (origin === undefined) return true;
  const [, name] = /^https?:\/\/(\[[0-9a-f:]+\]|[^:/]+)(?::\d+)?$/i.exec(origin) ?? [];
  return name !== undefined && LOOPBACK_NAMES.has(name.toLowerCase());
}
