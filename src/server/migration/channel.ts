// A connection between two nodes: messages, each sealed (AES-256-GCM, RFC 5116) with the sender's key and its number, so that none can be read, changed,
// left out or repeated by who is between them.

import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Duplex } from "node:stream";
import { sourceOfPieces } from "../../snapshot/streams.ts";
import { Handshake, HandshakeError, HELLO_BYTES, PROOF_BYTES, type Role } from "./handshake.ts";

const CIPHER = "aes-256-gcm";
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
/** Bytes of a message. Bounds what a receiver has to keep. */
export const MESSAGE_MAX = 0x10_0000 + 0x1000;

/** The connection is no more, or what came by it is no message. */
export class Cut extends Error {
  override readonly name = "Cut";
}

/** A kind, and what that says of the bytes. */
export interface Message {
  readonly kind: number;
  readonly body: Uint8Array;
}

export class Channel {
  /** Bytes sent. */
  sent = 0;
  readonly #stream: Duplex;
  readonly #read: (bytes: number) => Promise<Uint8Array>;
  readonly #ours: Buffer;
  readonly #theirs: Buffer;
  #sentMessages = 0;
  #readMessages = 0;
  #failure: Error | undefined;

  private constructor(stream: Duplex, read: (bytes: number) => Promise<Uint8Array>, ours: Buffer, theirs: Buffer) {
    this.#stream = stream;
    this.#read = read;
    this.#ours = ours;
    this.#theirs = theirs;
    stream.on("error", (error) => {
      this.#failure ??= error;
    });
  }

  /** @throws HandshakeError, Cut; the stream is closed then. */
  static async open(stream: Duplex, role: Role, token: Buffer, binding: Buffer, patience: number): Promise<Channel> {
    // Its reader is told of the error, too.
    stream.on("error", () => {});
    const timer = setTimeout(() => stream.destroy(new Cut("the other node does not answer")), patience);
    const source = sourceOfPieces(stream as AsyncIterable<Uint8Array>);
    const read = async (bytes: number): Promise<Uint8Array> => {
      let part: Uint8Array;
      try {
        part = await source.read(bytes);
      } catch (error) {
        throw new Cut((error as Error).message);
      }
      if (part.length < bytes) throw new Cut("the connection was closed");
      return part;
    };
    try {
      const handshake = new Handshake(role, token, binding);
      if (role === "source") {
        stream.write(handshake.hello);
        handshake.heard(await helloOf(read));
        handshake.check(await read(PROOF_BYTES));
        stream.write(handshake.proof());
      } else {
        handshake.heard(await helloOf(read));
        stream.write(Buffer.concat([handshake.hello, handshake.proof()]));
        handshake.check(await read(PROOF_BYTES));
      }
      const keys = handshake.keys();
      const other = role === "source" ? "destination" : "source";
      return new Channel(stream, read, keys[role], keys[other]);
    } catch (error) {
      stream.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Done when there is room for more. @throws Cut */
  async send(kind: number, body: Uint8Array = new Uint8Array(0)): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) throw this.#cut();
    const cipher = createCipheriv(CIPHER, this.#ours, nonceOf(this.#sentMessages++));
    const head = Buffer.alloc(LENGTH_BYTES);
    head.writeUInt32LE(1 + body.length + TAG_BYTES);
    const sealed = [head, cipher.update(Buffer.of(kind)), cipher.update(body), cipher.final(), cipher.getAuthTag()];
    const whole = Buffer.concat(sealed);
    this.sent += whole.length;
    if (stream.write(whole)) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => (): void => {
        stream.off("drain", drained);
        stream.off("close", closed);
        act();
      };
      const drained = settle(resolve);
      const closed = settle(() => reject(this.#cut()));
      stream.on("drain", drained);
      stream.on("close", closed);
    });
  }

  /** The next message, whose bytes are the caller's. @throws Cut */
  async receive(): Promise<Message> {
    const head = await this.#read(LENGTH_BYTES);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
    if (length <= TAG_BYTES || length > 1 + MESSAGE_MAX + TAG_BYTES) {
      this.close();
      throw new Cut("what came is no message");
    }
    const sealed = await this.#read(length);
    const decipher = createDecipheriv(CIPHER, this.#theirs, nonceOf(this.#readMessages++));
    decipher.setAuthTag(sealed.subarray(length - TAG_BYTES));
    const whole = decipher.update(sealed.subarray(0, length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      this.close();
      throw new Cut("what came was changed on its way");
    }
    // No Buffer, whose slices are no copies.
    return { kind: whole[0] as number, body: new Uint8Array(whole.buffer, whole.byteOffset + 1, whole.length - 1) };
  }

  /** Lets what was sent arrive, and closes. */
  end(): void {
    this.#stream.end();
  }

  close(): void {
    this.#stream.destroy();
  }

  onClose(listener: () => void): void {
    if (this.#stream.destroyed) listener();
    else this.#stream.once("close", listener);
  }

  #cut(): Cut {
    return new Cut(this.#failure?.message ?? "the connection was closed");
  }
}

/** Magic and version are looked at before more is waited for. */
async function helloOf(read: (bytes: number) => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read(HELLO_BYTES);
  } catch (error) {
    throw new HandshakeError(`the other node does not speak the protocol (${(error as Error).message})`);
  }
}

function nonceOf(message: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(message % 2 ** 32, 4);
  nonce.writeUInt32LE(Math.floor(message / 2 ** 32), 8);
  return nonce;
}
