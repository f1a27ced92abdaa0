// A machine's serial console as a terminal.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { element } from "./element.ts";

const FONT = 14;
const SMALLEST_FONT = 7;
/** Longer lines are hard to read. */
const MOST_COLUMNS = 100;

export class TerminalView {
  readonly place: HTMLElement;
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  readonly #colours = (): void => this.#setColours();

  constructor(place: HTMLElement, label: string) {
    this.place = place;
    this.#terminal = new Terminal({
      fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
      fontSize: FONT,
      scrollback: 5000,
      cursorBlink: false,
      screenReaderMode: false,
    });
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.open(place);
    this.#terminal.textarea?.setAttribute("aria-label", label);
    // So that whoever has no pointer gets out of the terminal.
    this.#terminal.attachCustomKeyEventHandler((event) => !(event.key === "Tab" && event.shiftKey));
    this.#setColours();
    const { cols, rows } = this.#fit.proposeDimensions() ?? { cols: 80, rows: 24 };
    this.#terminal.resize(Math.max(20, Math.min(MOST_COLUMNS, cols)), Math.max(6, rows));
    this.#observer = new ResizeObserver(() => this.#rescale());
    this.#observer.observe(place);
    this.#scheme.addEventListener("change", this.#colours);
    document.addEventListener("atoll-theme", this.#colours);
  }

  /** What the guest is told at its start. A serial console has no way to tell it of a change. */
  get size(): { columns: number; rows: number } {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** Everything that the terminal shows, for tests and for copying. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    return Array.from({ length: active.length }, (_, i) => active.getLine(i)?.translateToString(true) ?? "").join("\n");
  }

  /** What is on the screen now, without empty lines at its end, up to the cursor. */
  get screen(): string {
    const { active } = this.#terminal.buffer;
    const last = active.baseY + active.cursorY;
    const lines = Array.from({ length: active.cursorY + 1 }, (_, i) => active.getLine(active.baseY + i));
    return lines
      .map((line, i) =>
        active.baseY + i === last
          ? (line?.translateToString(false, 0, active.cursorX) ?? "")
          : (line?.translateToString(true) ?? ""),
      )
      .join("\n");
  }

  write(bytes: Uint8Array): void {
    this.#terminal.write(bytes);
  }

  onInput(listener: (bytes: Uint8Array) => void): void {
    const encoder = new TextEncoder();
    this.#terminal.onData((text) => listener(encoder.encode(text)));
    this.#terminal.onBinary((text) => listener(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  }

  focus(): void {
    this.#terminal.focus();
  }

  /** Past escape sequences, so that another machine's screen begins clean. */
  clear(): void {
    this.#terminal.reset();
  }

  close(): void {
    this.#observer.disconnect();
    this.#scheme.removeEventListener("change", this.#colours);
    document.removeEventListener("atoll-theme", this.#colours);
    this.#terminal.dispose();
  }

  /** The columns that the guest was told stay: the letters become smaller or larger. */
  #rescale(): void {
    const proposed = this.#fit.proposeDimensions();
    if (!proposed || !Number.isFinite(proposed.cols)) return;
    const { options, cols, rows } = this.#terminal;
    const size = options.fontSize ?? FONT;
    const wanted = Math.min(FONT, size * Math.min((proposed.cols + 0.5) / cols, (proposed.rows + 0.5) / rows));
    const font = Math.max(SMALLEST_FONT, Math.floor(wanted * 2) / 2);
    if (font !== size) options.fontSize = font;
  }

  #setColours(): void {
    // An element has the colour that a variable stands for, light or dark.
    const probe = element("span");
    document.body.append(probe);
    const colour = (name: string): string => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    this.#terminal.options.theme = {
      background: colour("--screen"),
      foreground: colour("--screen-text"),
      cursor: colour("--accent"),
      selectionBackground: colour("--selection"),
      black: colour("--screen-text"),
      red: colour("--ansi-red"),
      green: colour("--ansi-green"),
      yellow: colour("--ansi-yellow"),
      blue: colour("--ansi-blue"),
      magenta: colour("--ansi-magenta"),
      cyan: colour("--ansi-cyan"),
      brightCyan: colour("--ansi-cyan"),
      brightGreen: colour("--ansi-green"),
      brightBlue: colour("--ansi-blue"),
      brightYellow: colour("--ansi-yellow"),
      brightRed: colour("--ansi-red"),
      brightMagenta: colour("--ansi-magenta"),
      white: colour("--screen-text"),
      brightWhite: colour("--screen-text"),
      brightBlack: colour("--quiet"),
    };
    probe.remove();
  }
}
