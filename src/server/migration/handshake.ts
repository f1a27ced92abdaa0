// How two nodes find out that each has the token, without sending it, and get keys for what follows. The parts are the usual ones: HMAC challenges
// in both directions over everything said so far, X25519 for keys that nobody finds out later who learns the token, HKDF (RFC 2104, 7748, 5869).

import {
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";

const MAGIC = Buffer.from("ATOLL MIGRATION");
/** Of all that follows the hellos, too. */
export const VERSION = 1;
const NONCE_BYTES = 32;
const KEY_BYTES = 32;
export const PROOF_BYTES = 32;
/** Magic, a byte of version, nonce, X25519 public key. */
export const HELLO_BYTES = MAGIC.length + 1 + NONCE_BYTES + KEY_BYTES;

export type Role = "source" | "destination";

/** Who is at the other end cannot be talked to. One line, for people. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}

export interface SessionKeys {
  readonly source: Buffer;
  readonly destination: Buffer;
}

export class Handshake {
  /** What this side says first. */
  readonly hello: Buffer;
  readonly #role: Role;
  readonly #token: Buffer;
  readonly #binding: Buffer;
  readonly #privateKey: KeyObject;
  #transcript: Buffer | undefined;
  #theirs: Buffer | undefined;

  /** @param binding of the TLS connection that this goes through, where it does: the proofs are of no use in another one. */
  constructor(role: Role, token: Buffer, binding: Buffer) {
    this.#role = role;
    this.#token = token;
    this.#binding = binding;
    const { publicKey, privateKey } = generateKeyPairSync("x25519");
    this.#privateKey = privateKey;
    const raw = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
    this.hello = Buffer.concat([MAGIC, Buffer.of(VERSION), randomBytes(NONCE_BYTES), raw]);
  }

  /** @throws HandshakeError */
  heard(hello: Uint8Array): void {
    const theirs = Buffer.from(hello);
    if (theirs.length !== HELLO_BYTES || !theirs.subarray(0, MAGIC.length).equals(MAGIC))
      throw new HandshakeError("what answers there is no node that takes domains");
    const version = theirs[MAGIC.length] as number;
    if (version !== VERSION)
      throw new HandshakeError(`the node there speaks version ${version} of the protocol, this one ${VERSION}`);
    this.#theirs = theirs;
    const both = this.#role === "source" ? [this.hello, theirs] : [theirs, this.hello];
    this.#transcript = Buffer.concat([...both, this.#binding]);
  }

  /** That this side has the token. */
  proof(): Buffer {
    return this.#proofOf(this.#role);
  }

  /** @throws HandshakeError when the other side has not shown that it has the token. */
  check(proof: Uint8Array): void {
    const expected = this.#proofOf(this.#role === "source" ? "destination" : "source");
    if (proof.length !== PROOF_BYTES || !timingSafeEqual(proof, expected))
      throw new HandshakeError("the two nodes do not have the same token: give the destination's by --token-file");
  }

  /** @throws HandshakeError when the other side's key is none. */
  keys(): SessionKeys {
    const x = (this.#theirs as Buffer).subarray(-KEY_BYTES).toString("base64url");
    let shared: Buffer;
    try {
      const publicKey = createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
      shared = diffieHellman({ privateKey: this.#privateKey, publicKey });
    } catch {
      throw new HandshakeError("the other node's key is none");
    }
    const secret = Buffer.concat([shared, this.#token]);
    const salt = createHash("sha256")
      .update(this.#transcript as Buffer)
      .digest();
    const key = (role: Role): Buffer =>
      Buffer.from(hkdfSync("sha256", secret, salt, `atoll migration ${role}`, KEY_BYTES));
    return { source: key("source"), destination: key("destination") };
  }

  #proofOf(role: Role): Buffer {
    return createHmac("sha256", this.#token)
      .update(`atoll migration proof of the ${role}\0`)
      .update(this.#transcript as Buffer)
      .digest();
  }
}
