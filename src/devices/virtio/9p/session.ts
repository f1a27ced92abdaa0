import type { SharedFolder } from "../../../bus/folder.ts";
import type { Fields, Saved } from "../../../snapshot/fields.ts";
import { ATTRIBUTE_MESSAGES } from "./attribute-messages.ts";
import { errnoOf, FileError } from "./errno.ts";
import { FIDS_MAX, Fids } from "./fids.ts";
import { FILE_MESSAGES } from "./file-messages.ts";
import type { Handler, Served } from "./handler.ts";
import { ERROR_BYTES, HEADER_BYTES, MSIZE_MAX, R_LERROR, T, VERSION } from "./messages.ts";
import { TREE_MESSAGES } from "./tree-messages.ts";
import { errorMessage, MessageReader, MessageWriter } from "./wire.ts";

const MSIZE_MIN = 4096;
/** Before the version has been agreed upon there is only Tversion. */
const NO_VERSION = 0;

/** Messages are done one after the other: what is to be flushed has its answer already. */
const flush: Handler = () => {};
const HANDLERS: ReadonlyMap<number, Handler> = new Map([
  [T.flush, flush],
  ...TREE_MESSAGES,
  ...FILE_MESSAGES,
  ...ATTRIBUTE_MESSAGES,
]);

/** Among what is not done are authentication and extended attributes. */
function handlerOf(type: number): Handler {
  const handler = HANDLERS.get(type);
  if (handler === undefined) throw new FileError("EOPNOTSUPP");
  return handler;
}

/**
 * A server of 9P2000.L for one folder: messages in, answers out. Whatever a message holds, it changes nothing outside of the folder, and
 * throws nothing.
 */
export class Session {
  readonly #served: Served;
  #msize = NO_VERSION;

  constructor(folder: SharedFolder) {
    this.#served = { folder, fids: new Fids() };
  }

  save(): Saved {
    return { msize: this.#msize, fids: this.#served.fids.save() };
  }

  restore(state: Fields): void {
    this.#msize = state.whole("msize", MSIZE_MAX);
    if (this.#msize !== NO_VERSION && this.#msize < MSIZE_MIN) throw state.wrong("msize");
    this.#served.fids.restore(state.list("fids", FIDS_MAX), this.#served.folder);
  }

  /** Forgets the client. */
  reset(): void {
    this.#served.fids.clear();
    this.#msize = NO_VERSION;
  }

  /**
   * Does what a message asks for.
   * @param request the message, which may be followed by bytes that are not of it.
   * @param reply where the answer goes; ERROR_BYTES at least.
   * @returns the answer's length; 0: what came is no message, and nobody could tell what an answer is to.
   */
  handle(request: Uint8Array, reply: Uint8Array): number {
    if (request.length < HEADER_BYTES || reply.length < ERROR_BYTES) return 0;
    const header = new MessageReader(request, 0);
    const size = header.u32();
    const type = header.u8();
    const tag = header.u16();
    try {
      if (size < HEADER_BYTES || size > request.length) throw new FileError("EINVAL");
      if (this.#msize === NO_VERSION ? type !== T.version : size > this.#msize) throw new FileError("EINVAL");
      const most = this.#msize === NO_VERSION ? reply.length : Math.min(this.#msize, reply.length);
      const reader = new MessageReader(request.subarray(0, size), HEADER_BYTES);
      const writer = new MessageWriter(reply.subarray(0, most), HEADER_BYTES);
      if (type === T.version) this.#version(reader, writer);
      else handlerOf(type)(this.#served, reader, writer);
      const length = writer.at;
      writer.at = 0;
      writer.u32(length);
      writer.u8(type + 1);
      writer.u16(tag);
      return length;
    } catch (error) {
      return errorMessage(reply, R_LERROR, tag, errnoOf(error));
    }
  }

  #version(request: MessageReader, reply: MessageWriter): void {
    const msize = request.u32();
    const version = request.string();
    this.reset();
    const known = version === VERSION;
    if (known && msize < MSIZE_MIN) throw new FileError("EMSGSIZE");
    reply.u32(Math.min(msize, MSIZE_MAX));
    reply.string(known ? version : "unknown");
    if (known) this.#msize = Math.min(msize, MSIZE_MAX);
  }
}
