import type { Code } from "../wasm/code.ts";

/** The open blocks, loops and ifs of a function that stand for something to branch to. */
export class Labels<Label> {
  readonly #code: Code;
  readonly #open: { readonly label: Label; readonly depth: number }[] = [];

  constructor(code: Code) {
    this.#code = code;
  }

  /** `emit` opens the block. */
  open(label: Label, emit: () => void): void {
    emit();
    this.#open.push({ label, depth: this.#code.depth });
  }

  /** Closes the block that was opened last. */
  close(): void {
    this.#code.end();
    this.#open.pop();
  }

  /** @throws TypeError when no open block has the label */
  br(label: Label): void {
    const found = this.#open.findLast((o) => o.label === label);
    if (!found) throw new TypeError(`no label ${label}`);
    this.#code.br(this.#code.depth - found.depth);
  }
}
