import type { Display, DisplayViewer, Rectangle } from "../../bus/display.ts";
import type { InputPort } from "../../bus/input.ts";
import type { VncAuthentication } from "./handshake.ts";
import { type Deflater, type RfbConnection, RfbSession } from "./session.ts";

/** Milliseconds between two pictures. */
const FRAME = 25;
/** ... of a display that has to be asked, while nothing changes: each time twice as long, up to this. */
const FRAME_MAX = 100;
/** The part of the time that looking for changes may take: one in so many. */
const SHARE = 4;

export interface RfbServerParts {
  readonly display: Display;
  readonly input: InputPort;
  /** Of the desktop: ASCII. */
  readonly name: string;
  /** undefined: everybody who connects may come in. */
  readonly authentication: VncAuthentication | undefined;
  readonly deflater: () => Deflater;
  /** The guest may have something to do. */
  readonly happened: () => void;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly later: (milliseconds: number, action: () => void) => void;
}

/** Shows a display to any number of clients. Pictures are made when somebody waits for one, and not more often than they can be. */
export class RfbServer implements DisplayViewer {
  readonly #parts: RfbServerParts;
  readonly #sessions = new Set<RfbSession>();
  readonly #leave: readonly (() => void)[];
  #scheduled = false;
  /** When the next picture may be made. */
  #notBefore = 0;
  #quiet = FRAME;
  #changed = false;

  constructor(parts: RfbServerParts) {
    this.#parts = parts;
    const { display, input } = parts;
    const ledsChanged = (): void => {
      for (const session of this.#sessions) session.ledsChanged();
    };
    this.#leave = [display.addViewer(this), input.onLeds(ledsChanged)];
  }

  /** A client has connected. */
  connect(connection: RfbConnection): RfbSession {
    const { display, input, name, authentication, deflater, happened } = this.#parts;
    const session = new RfbSession({
      ...{ connection, display, input, name, authentication, deflater, happened },
      wanted: () => this.#schedule(0),
    });
    this.#sessions.add(session);
    return session;
  }

  /** The connection is no more. */
  disconnected(session: RfbSession): void {
    session.closed();
    this.#sessions.delete(session);
  }

  close(): void {
    for (const leave of this.#leave) leave();
    for (const session of this.#sessions) session.closed();
    this.#sessions.clear();
  }

  surfaceChanged(): void {
    this.stirred();
  }

  stirred(): void {
    if (this.#waiting) this.#schedule(0);
  }

  damaged(area: Rectangle): void {
    this.#changed = true;
    for (const session of this.#sessions) session.damaged(area);
  }

  cursorChanged(): void {
    for (const session of this.#sessions) session.cursorChanged();
    this.stirred();
  }

  get #waiting(): boolean {
    for (const session of this.#sessions) if (session.waiting) return true;
    return false;
  }

  #schedule(least: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.later(Math.max(least, this.#notBefore - this.#parts.now()), () => {
      this.#scheduled = false;
      this.#frame();
    });
  }

  #frame(): void {
    const { display, now } = this.#parts;
    if (!this.#waiting) return;
    const started = now();
    this.#changed = false;
    display.refresh();
    for (const session of this.#sessions) session.update();
    this.#notBefore = now() + Math.max(FRAME, (now() - started) * SHARE);
    if (!display.polled) return;
    this.#quiet = this.#changed ? FRAME : Math.min(FRAME_MAX, this.#quiet * 2);
    if (this.#waiting) this.#schedule(this.#quiet);
  }
}
