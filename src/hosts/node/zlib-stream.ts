import { constants, createDeflate } from "node:zlib";
import type { Deflater } from "../../network/rfb/session.ts";

/** One zlib stream; Node compresses beside the event loop. */
export function zlibStream(): Deflater {
  const stream = createDeflate({ level: 1 });
  let pieces: Uint8Array[] = [];
  let ended = (): void => {};
  const end = new Promise<never>((_resolve, reject) => {
    ended = () => reject(new Error("the stream has been closed"));
  });
  end.catch(() => {});
  stream.on("data", (piece: Uint8Array) => pieces.push(piece));
  stream.on("error", () => ended());
  return {
    deflate(bytes) {
      const done = new Promise<Uint8Array>((resolve) => {
        stream.write(bytes);
        stream.flush(constants.Z_SYNC_FLUSH, () => {
          const all = Buffer.concat(pieces);
          pieces = [];
          resolve(all);
        });
      });
      return Promise.race([done, end]);
    },
    close() {
      ended();
      stream.destroy();
    },
  };
}
