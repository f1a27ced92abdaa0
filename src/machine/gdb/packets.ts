// Packets of the GDB remote serial protocol (Debugging with GDB, E.1): $BODY#CHECKSUM, acknowledged by + or -.

/** Bytes of the longest packet, as qSupported tells the client. */
export const PACKET_BYTES = 0x4000;

export type Incoming =
  | { readonly kind: "packet"; readonly body: Uint8Array }
  /** A wrong checksum, or too long. */
  | { readonly kind: "damaged" }
  | { readonly kind: "interrupt" }
  | { readonly kind: "ack" | "nak" };

const ESCAPE = 0x7d;
const REPEAT = 0x2a;
const START = 0x24;
const END = 0x23;
const INTERRUPT = 0x03;
const ACK = 0x2b;
const NAK = 0x2d;
const ESCAPE_XOR = 0x20;

/** Takes a client's bytes apart. What it holds is one packet and what was fed and not yet taken. */
export class PacketReader {
  #input = new Uint8Array(0);
  #at = 0;
  readonly #body = new Uint8Array(PACKET_BYTES);
  #length = 0;
  #state: "between" | "body" | "escape" | "first digit" | "second digit" = "between";
  #tooLong = false;
  #sum = 0;
  #digits = "";

  /** To be called when `next` has given all that there was, or little is lost in copying the rest. */
  feed(bytes: Uint8Array): void {
    const rest = this.#input.subarray(this.#at);
    const input = new Uint8Array(rest.length + bytes.length);
    input.set(rest);
    input.set(bytes, rest.length);
    this.#input = input;
    this.#at = 0;
  }

  /** The next thing that the client said; undefined: more bytes are needed. */
  next(): Incoming | undefined {
    while (this.#at < this.#input.length) {
      const found = this.#byte(this.#input[this.#at++] as number);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #byte(byte: number): Incoming | undefined {
    switch (this.#state) {
      case "between":
        if (byte === START) this.#begin();
        else if (byte === INTERRUPT) return { kind: "interrupt" };
        else if (byte === ACK) return { kind: "ack" };
        else if (byte === NAK) return { kind: "nak" };
        return undefined;
      case "body":
        if (byte === START) this.#begin();
        else if (byte === END) {
          this.#digits = "";
          this.#state = "first digit";
        } else {
          this.#sum += byte;
          if (byte === ESCAPE) this.#state = "escape";
          else this.#append(byte);
        }
        return undefined;
      case "escape":
        this.#sum += byte;
        this.#append(byte ^ ESCAPE_XOR);
        this.#state = "body";
        return undefined;
      case "first digit":
        this.#digits = String.fromCharCode(byte);
        this.#state = "second digit";
        return undefined;
      case "second digit":
        this.#digits += String.fromCharCode(byte);
        this.#state = "between";
        return this.#finish();
    }
  }

  #begin(): void {
    this.#state = "body";
    this.#length = 0;
    this.#sum = 0;
    this.#tooLong = false;
  }

  #append(byte: number): void {
    if (this.#length < PACKET_BYTES) this.#body[this.#length++] = byte;
    else this.#tooLong = true;
  }

  #finish(): Incoming {
    const checksum = /^[0-9a-f]{2}$/i.test(this.#digits) ? Number.parseInt(this.#digits, 16) : -1;
    if (this.#tooLong || checksum !== (this.#sum & 0xff)) return { kind: "damaged" };
    return { kind: "packet", body: this.#body.slice(0, this.#length) };
  }
}

/** Repeats after the first character that one count can say: the character (count + 29) is a printable one. */
const MOST_REPEATS = 126 - 29;
const LEAST_REPEATS = 3;

/** How often the byte at `at` may be said to repeat: never so often that the count would be # or $. */
function repeats(body: Uint8Array, at: number): number {
  let count = 0;
  while (count < MOST_REPEATS && body[at + count + 1] === body[at]) count++;
  if (count < LEAST_REPEATS) return 0;
  return count === END - 29 || count === START - 29 ? END - 30 : count;
}

function isSpecial(byte: number): boolean {
  return byte === START || byte === END || byte === ESCAPE || byte === REPEAT;
}

/** A packet, escaped and with its runs shortened. */
export function encodePacket(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 * body.length + 4);
  let length = 0;
  let sum = 0;
  const put = (byte: number): void => {
    out[length++] = byte;
    sum += byte;
  };
  out[length++] = START;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] as number;
    if (isSpecial(byte)) {
      put(ESCAPE);
      put(byte ^ ESCAPE_XOR);
      continue;
    }
    put(byte);
    const count = repeats(body, at);
    if (count === 0) continue;
    put(REPEAT);
    put(count + 29);
    at += count;
  }
  const digits = (sum & 0xff).toString(16).padStart(2, "0");
  out[length++] = END;
  out[length++] = digits.charCodeAt(0);
  out[length++] = digits.charCodeAt(1);
  return out.subarray(0, length);
}

const DIGITS = "0123456789abcdef";

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (DIGITS[byte >> 4] as string) + (DIGITS[byte & 15] as string);
  return text;
}

/** Undefined: not an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Text of ASCII's characters, as all of the protocol's is. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}
