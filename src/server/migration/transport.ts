// Connections between nodes: TCP, or TLS where there are certificates.

import { readFileSync } from "node:fs";
import { createServer, isIP, type Server, type Socket, connect as tcpConnect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from "node:tls";
import { asBadInput, reasonOf } from "../../hosts/node/files.ts";
import { addressText, listenAt, type TcpAddress } from "../../hosts/node/listen.ts";
import { BadInput } from "../../machine/runnable.ts";

/** A node's own certificate with its key, and the authority that has signed those of all nodes. PEM. */
export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** Milliseconds to wait for a connection. */
const PATIENCE = 10_000;
/** RFC 5705: what the two ends of a TLS connection, and nobody else, know. */
const EXPORTER_LABEL = "EXPORTER-atoll-migration";
const EXPORTED_BYTES = 32;
const TLS = { minVersion: "TLSv1.3" } as const;

/** @param folder with cert.pem, key.pem and ca.pem. @throws BadInput */
export function loadCertificates(folder: string): Certificates {
  const read = (name: string): Buffer => {
    const path = join(folder, name);
    try {
      return readFileSync(path);
    } catch (error) {
      throw asBadInput(error, "read", path);
    }
  };
  return { cert: read("cert.pem"), key: read("key.pem"), ca: read("ca.pem") };
}

/** A connection, and what binds a handshake to it: empty without TLS. */
export interface Connected {
  readonly stream: Duplex;
  readonly binding: Buffer;
}

const bindingOf = (socket: TLSSocket): Buffer =>
  socket.exportKeyingMaterial(EXPORTED_BYTES, EXPORTER_LABEL, Buffer.alloc(0));

/** @throws BadInput when there is nobody, or their certificate is not one of ours. */
export function connect({ host, port }: TcpAddress, certificates: Certificates | undefined): Promise<Connected> {
  return new Promise((resolve, reject) => {
    const socket: Socket =
      certificates === undefined
        ? tcpConnect({ host, port })
        : tlsConnect({ ...{ host, port }, ...certificates, ...TLS, ...(isIP(host) === 0 ? { servername: host } : {}) });
    const timer = setTimeout(() => socket.destroy(new Error("nobody answers")), PATIENCE);
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(new BadInput(`cannot reach ${addressText({ host, port })}: ${reasonOf(error)}`));
    };
    socket.once("error", failed);
    socket.once(certificates === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", failed);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, PATIENCE);
      const binding = certificates === undefined ? Buffer.alloc(0) : bindingOf(socket as TLSSocket);
      resolve({ stream: socket, binding });
    });
  });
}

/** @param met called for each connection; one without a certificate of ours does not get there. @throws BadInput */
export async function listen(
  address: TcpAddress,
  certificates: Certificates | undefined,
  met: (connected: Connected) => void,
): Promise<Server> {
  const take = (socket: Socket, binding: Buffer): void => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PATIENCE);
    met({ stream: socket, binding });
  };
  let server: Server;
  try {
    server =
      certificates === undefined
        ? createServer((socket) => take(socket, Buffer.alloc(0)))
        : createTlsServer(
            { ...certificates, ...TLS, requestCert: true, rejectUnauthorized: true, handshakeTimeout: PATIENCE },
            (socket) => take(socket, bindingOf(socket)),
          );
  } catch (error) {
    throw new BadInput(`the certificates for migrations cannot be used: ${reasonOf(error as Error)}`);
  }
  await listenAt(server, address);
  return server;
}
