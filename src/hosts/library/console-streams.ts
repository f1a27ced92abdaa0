/** Bytes of output that are kept for somebody who does not read them. */
const KEPT = 2 ** 20;

/** A serial port of a machine's, its console or another, as web streams. */
export class ConsoleStreams {
  /** What the guest writes: of output that nobody reads, the last MiB is kept. Ends when the machine is closed. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What is typed for the guest. */
  readonly writable: WritableStream<Uint8Array>;
  readonly #decoder = new TextDecoder();
  /** Of the output, what `take` has not looked past. */
  #text = "";
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #wanted: (() => void) | undefined;
  #ended = false;

  constructor(type: (bytes: Uint8Array) => Promise<unknown>) {
    this.readable = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (this.#waiting.length === 0 && !this.#ended) {
            await new Promise<void>((resolve) => {
              this.#wanted = resolve;
            });
          }
          const next = this.#waiting.shift();
          if (next === undefined) return controller.close();
          this.#bytes -= next.length;
          controller.enqueue(next);
        },
      },
      { highWaterMark: 0 },
    );
    this.writable = new WritableStream<Uint8Array>({
      write: async (bytes) => {
        await type(bytes);
      },
    });
  }

  /** @internal Output has come. */
  arrived(bytes: Uint8Array): void {
    this.#text = (this.#text + this.#decoder.decode(bytes, { stream: true })).slice(-KEPT);
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    while (this.#bytes > KEPT && this.#waiting.length > 1) this.#bytes -= this.#waiting.shift()?.length ?? 0;
    this.#wanted?.();
  }

  /** @internal No more will come. */
  end(): void {
    this.#ended = true;
    this.#wanted?.();
  }

  /** @internal Output up to the end of a text; undefined: it has not come. */
  take(text: string | RegExp): string | undefined {
    let end = -1;
    if (typeof text === "string") {
      const at = this.#text.indexOf(text);
      if (at >= 0) end = at + text.length;
    } else {
      const match = text.exec(this.#text);
      if (match) end = match.index + match[0].length;
    }
    if (end < 0) return undefined;
    const taken = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return taken;
  }
}
