// What the outside gives to the devices of a board that is fuzzed: little, and not always.

import type { SerialChannel } from "../../src/bus/channel.ts";
import type { FileAttributes, OpenFile, SharedFolder } from "../../src/bus/folder.ts";
import type { OuterStream, StreamEvents, StreamHost } from "../../src/bus/streams.ts";

const TIME = { seconds: 1, nanoseconds: 2 };

/** A folder with directories without end, files of 100 bytes that end in "f", and much that fails. */
export function fuzzFolder(): SharedFolder {
  let calls = 0;
  const attributes = (path: string): FileAttributes => {
    if (calls++ % 7 === 6) throw Object.assign(new Error("no"), { code: calls % 2 ? "ENOENT" : "ENOTHING" });
    const mode = path.endsWith("f") ? 0o100644 : 0o040755;
    const times = { accessed: TIME, modified: TIME, changed: TIME };
    return {
      ...times,
      mode,
      identity: { low: path.length, high: 0 },
      ownUser: true,
      ownGroup: false,
      links: 1,
      size: 100,
      blocks: 1,
      blockSize: 4096,
    };
  };
  const file = (): OpenFile => ({
    attributes: () => attributes("f"),
    setPermissions: () => {},
    setTimes: () => {},
    read: (at, into) => {
      const bytes = Math.min(into.length, Math.max(0, 100 - at));
      into.fill(0x66, 0, bytes);
      return bytes;
    },
    write: (_at, from) => from.length,
    resize: () => {},
    sync: () => {},
    close: () => {},
  });
  const change = (path: string): void => void attributes(path);
  return {
    attributes,
    statistics: () => ({ blockSize: 4096, blocks: 1, free: 1, available: 1, files: 1, freeFiles: 1 }),
    readLink: () => "target",
    open: file,
    create: file,
    list: () => {
      let left = 300;
      return { next: () => (left-- > 0 ? `name-${left}` : undefined), close: () => {} };
    },
    syncDirectory: change,
    makeDirectory: change,
    makeLink: change,
    link: change,
    rename: change,
    unlink: change,
    removeDirectory: change,
    setPermissions: change,
    setTimes: change,
    resize: change,
  };
}

export interface FuzzedOutside {
  /** Something happens outside, which `number` decides. */
  happen(number: number): void;
}

/** Sockets whose other ends come, talk and go. */
export class FuzzStreams implements StreamHost, FuzzedOutside {
  readonly #live: { events: StreamEvents; waiting: number }[] = [];
  #listener: (port: number, stream: OuterStream) => StreamEvents | undefined = () => undefined;

  connect(_port: number, events: StreamEvents): OuterStream {
    const state = { events, waiting: 0 };
    this.#live.push(state);
    return this.#stream(state);
  }

  onConnection(listener: (port: number, stream: OuterStream) => StreamEvents | undefined): void {
    this.#listener = listener;
  }

  happen(number: number): void {
    if (number % 8 === 0) {
      const state: { events: StreamEvents | undefined; waiting: number } = { events: undefined, waiting: 0 };
      state.events = this.#listener(number & 3, this.#stream(state as { events: StreamEvents; waiting: number }));
      if (state.events !== undefined) this.#live.push(state as { events: StreamEvents; waiting: number });
    }
    const state = this.#live[number % Math.max(1, this.#live.length)];
    if (state === undefined) return;
    const { events } = state;
    switch ((number >>> 3) % 5) {
      case 0:
        events.connected();
        break;
      case 1:
        state.waiting += number & 0xffff;
        events.readable();
        break;
      case 2:
        events.delivered(number & 0xff);
        break;
      case 3:
        events.ended();
        break;
      case 4:
        this.#live.splice(this.#live.indexOf(state), 1);
        events.closed();
    }
  }

  #stream(state: { events: StreamEvents; waiting: number }): OuterStream {
    return {
      write: () => {},
      read: (max) => {
        const bytes = Math.min(max, state.waiting);
        state.waiting -= bytes;
        return new Uint8Array(bytes);
      },
      get readable() {
        return state.waiting > 0;
      },
      accept: () => {},
      end: () => {},
      close: () => {
        const at = this.#live.indexOf(state);
        if (at >= 0) this.#live.splice(at, 1);
      },
    };
  }
}

export class FuzzChannel implements SerialChannel, FuzzedOutside {
  connected = false;
  full = false;
  #waiting = 0;
  #listener = (): void => {};

  write(): void {}
  read(max: number): Uint8Array {
    const bytes = Math.min(max, this.#waiting);
    this.#waiting -= bytes;
    return new Uint8Array(bytes);
  }
  onChange(listener: () => void): void {
    this.#listener = listener;
  }
  happen(number: number): void {
    this.connected = (number & 1) !== 0;
    this.full = (number & 2) !== 0;
    this.#waiting += number & 0xff;
    this.#listener();
  }
}
