// The phases before anything is shown (RFC 6143, 7.1 to 7.3).

import type { ByteInput } from "./byte-input.ts";
import { SECURITY } from "./messages.ts";

const VERSION_BYTES = 12;
const CHALLENGE_BYTES = 16;
/** Milliseconds that a wrong password takes. */
const REFUSAL_DELAY = 1000;

export interface HandshakePort {
  write(bytes: Uint8Array): void;
  /** Ends the connection. */
  close(): void;
  later(milliseconds: number, action: () => void): void;
}

/** How clients show that they know the password. */
export interface VncAuthentication {
  /** CHALLENGE_BYTES that nobody can foresee. */
  challenge(): Uint8Array;
  /** Whether that is the challenge, encrypted with the password. */
  verify(challenge: Uint8Array, response: Uint8Array): boolean;
}

type Phase = "version" | "security" | "response" | "init" | "refused" | "done";

/** Reads what a client says until it has seen `done`. */
export class Handshake {
  readonly #port: HandshakePort;
  readonly #authentication: VncAuthentication | undefined;
  #phase: Phase = "version";
  /** Minor version of the protocol: 3, 7 or 8. */
  #minor = 8;
  #challenge = new Uint8Array(0);

  /** @param authentication undefined: everybody may come in. */
  constructor(port: HandshakePort, authentication: VncAuthentication | undefined) {
    this.#port = port;
    this.#authentication = authentication;
  }

  begin(): void {
    this.#port.write(text("RFB 003.008\n"));
  }

  /** @returns whether the client has got through; the ServerInit message is to follow. */
  read(input: ByteInput): boolean {
    while (this.#step(input));
    return this.#phase === "done";
  }

  /** @returns whether there may be more to do. */
  #step(input: ByteInput): boolean {
    switch (this.#phase) {
      case "version":
        return this.#take(input, VERSION_BYTES, (bytes) => this.#version(bytes));
      case "security":
        return this.#take(input, 1, ([type]) => this.#security(type as number));
      case "response":
        return this.#take(input, CHALLENGE_BYTES, (bytes) => this.#response(bytes));
      case "init":
        // Whether others may stay is not for a client to say: everybody shares.
        return this.#take(input, 1, () => {
          this.#phase = "done";
        });
      case "refused":
        input.skip(input.length);
        return false;
      case "done":
        return false;
    }
  }

  #take(input: ByteInput, length: number, use: (bytes: Uint8Array) => void): boolean {
    if (input.length < length) return false;
    const view = input.peek(length);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, length).slice();
    input.skip(length);
    use(bytes);
    return true;
  }

  #version(bytes: Uint8Array): void {
    const [, major, minor] = /^RFB (\d{3})\.(\d{3})\n$/.exec(String.fromCharCode(...bytes)) ?? [];
    if (major === undefined || Number(major) < 3) {
      this.#phase = "refused";
      this.#port.close();
      return;
    }
    // 7.1.1: what is not 3.7 or 3.8 is to be taken for 3.3; later versions than there are can do with 3.8.
    const number = Number(minor);
    this.#minor = Number(major) > 3 || number >= 8 ? 8 : number === 7 ? 7 : 3;
    const type = this.#type;
    if (this.#minor > 3) {
      this.#port.write(Uint8Array.of(1, type));
      this.#phase = "security";
    } else {
      this.#port.write(Uint8Array.of(0, 0, 0, type));
      this.#begin();
    }
  }

  get #type(): number {
    return this.#authentication === undefined ? SECURITY.none : SECURITY.vnc;
  }

  #security(type: number): void {
    if (type === this.#type) this.#begin();
    else this.#refuse("there is no such security type");
  }

  #begin(): void {
    if (this.#authentication === undefined) {
      if (this.#minor >= 8) this.#port.write(new Uint8Array(4));
      this.#phase = "init";
      return;
    }
    this.#challenge = this.#authentication.challenge().slice();
    this.#port.write(this.#challenge);
    this.#phase = "response";
  }

  #response(response: Uint8Array): void {
    if (this.#authentication?.verify(this.#challenge, response)) {
      this.#port.write(new Uint8Array(4));
      this.#phase = "init";
      return;
    }
    this.#phase = "refused";
    this.#port.later(REFUSAL_DELAY, () => this.#refuse("wrong password"));
  }

  /** 7.1.3: SecurityResult, with the reason since 3.8. */
  #refuse(reason: string): void {
    this.#phase = "refused";
    const words = text(reason);
    const message = new Uint8Array(this.#minor >= 8 ? 8 + words.length : 4);
    message[3] = 1;
    if (this.#minor >= 8) {
      message[7] = words.length;
      message.set(words, 8);
    }
    this.#port.write(message);
    this.#port.close();
  }
}

function text(characters: string): Uint8Array {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
