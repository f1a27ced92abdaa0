// A file descriptor of a device that the kernel can poll, read when it has something. Node reads sockets, pipes and terminals so, and anything
// else in a thread that waits, of which a process has four and which a process that ends waits for. Its pipes are libuv's streams, which take
// any descriptor that can be polled; the class of them is had from a socket's handle.

import { connect, Socket } from "node:net";

interface PipeHandle {
  /** 0, or an error's number. */
  open(descriptor: number): number;
}
type PipeClass = new (type: number) => PipeHandle;
/** PipeConstants.SOCKET. */
const STREAM = 0;

export interface PolledDescriptor {
  /** Reads no further until `resume`. */
  pause(): void;
  resume(): void;
  /** The descriptor, too. */
  close(): void;
}

/**
 * The descriptor becomes non-blocking. `read` gets what one read(2) gave, at most `most` bytes, in a buffer that is used again, and says whether
 * to go on; `ended` is called when no more can be read, with an error where there was one. @throws Error when the descriptor cannot be read so.
 */
export function pollDescriptor(
  descriptor: number,
  most: number,
  read: (bytes: Uint8Array) => boolean,
  ended: (error?: Error) => void,
): PolledDescriptor {
  const Pipe = pipeClass();
  const handle = new Pipe(STREAM);
  if (handle.open(descriptor) !== 0) throw new Error("it cannot be polled");
  const buffer = new Uint8Array(most);
  const options = { handle, onread: { buffer, callback: (bytes: number) => read(buffer.subarray(0, bytes)) } };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  let failure: Error | undefined;
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => ended(failure));
  socket.resume();
  return {
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => void socket.destroy(),
  };
}

function pipeClass(): PipeClass {
  // Nobody is there.
  const socket = connect({ path: "/dev/null" }) as Socket & { _handle?: { constructor: unknown } };
  socket.on("error", () => {});
  const found = socket._handle?.constructor;
  socket.destroy();
  if (typeof found !== "function" || !("open" in found.prototype)) throw new Error("this Node.js has no pipes for it");
  return found as PipeClass;
}
