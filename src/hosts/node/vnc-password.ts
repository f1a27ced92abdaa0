// VNC authentication (RFC 6143, 7.2.2): a challenge that is encrypted by DES with the password.

import { createCipheriv, randomBytes, timingSafeEqual } from "node:crypto";
import type { VncAuthentication } from "../../network/rfb/handshake.ts";

const KEY_BYTES = 8;
const CHALLENGE_BYTES = 16;

/** @param password of which the first eight bytes count. */
export function vncAuthentication(password: Uint8Array): VncAuthentication {
  return {
    challenge: () => randomBytes(CHALLENGE_BYTES),
    verify: (challenge, response) => {
      const expected = encryptChallenge(challenge, password);
      return response.length === expected.length && timingSafeEqual(expected, response);
    },
  };
}

/** What a client answers. */
export function encryptChallenge(challenge: Uint8Array, password: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  key.set(password.subarray(0, KEY_BYTES));
  // The bits of each byte in the reverse order, as the first implementation had them.
  const reversed = key.map((byte) =>
    [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum | (((byte >> i) & 1) << (7 - i)), 0),
  );
  // Triple DES with one key three times is DES, which OpenSSL 3 no longer has by itself.
  const cipher = createCipheriv("des-ede3-ecb", new Uint8Array([...reversed, ...reversed, ...reversed]), null);
  cipher.setAutoPadding(false);
  return cipher.update(challenge);
}
