// Fields of images, of which numbers above 2^53 are never good.

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Infinity for what a number cannot hold exactly: every check against a limit refuses it. */
export function join64(high: number, low: number): number {
  return high >= 2 ** 21 ? Number.POSITIVE_INFINITY : high * 2 ** 32 + low;
}

/** Big-endian. */
export function be64(view: DataView, at: number): number {
  return join64(view.getUint32(at), view.getUint32(at + 4));
}

/** Little-endian. */
export function le64(view: DataView, at: number): number {
  return join64(view.getUint32(at + 4, true), view.getUint32(at, true));
}

export function putBe64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

/** Latin-1 up to a zero byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** UTF-8; bytes that are none become U+FFFD. */
export function utf8(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i++] as number;
    const more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    let code = more <= 0 ? lead : lead & (0x3f >> more);
    let good = more >= 0;
    for (let n = 0; n < more; n++) {
      const next = bytes[i] ?? 0;
      if ((next & 0xc0) !== 0x80) {
        good = false;
        break;
      }
      code = (code << 6) | (next & 0x3f);
      i++;
    }
    text += good ? String.fromCodePoint(code) : "\ufffd";
  }
  return text;
}

export function toUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    }
  }
  return Uint8Array.from(bytes);
}

export function isZero(bytes: Uint8Array): boolean {
  let i = 0;
  // Four at a time where they are aligned: converting an image looks at every byte.
  if (bytes.byteOffset % 4 === 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let w = 0; w < words.length; w++) if (words[w] !== 0) return false;
    i = words.length * 4;
  }
  for (; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Of two of one length. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
