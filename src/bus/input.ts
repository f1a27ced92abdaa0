// The port between who has a keyboard and a pointer outside, and the guest's input devices.

/** The pointer's range of coordinates in both directions, whatever the size of the picture. */
export const POINTER_MAX = 0x7fff;

export type PointerButton = "left" | "middle" | "right" | "side" | "extra";

/** Lights of the keyboard, as the guest has set them. */
export interface KeyboardLeds {
  readonly numLock: boolean;
  readonly capsLock: boolean;
  readonly scrollLock: boolean;
}

/** What happens is for the guest; where it does not listen, it is lost. */
export interface InputPort {
  /** @param code KEY_* of linux/input-event-codes.h. Pressing a key that is pressed, or letting go one that is not, does nothing. */
  key(code: number, pressed: boolean): void;
  /** Where the pointer is, from 0 to POINTER_MAX, and which buttons are pressed. */
  pointer(x: number, y: number, buttons: ReadonlySet<PointerButton>): void;
  /** Notches, away from the user and to the right positive. */
  wheel(vertical: number, horizontal: number): void;
  readonly leds: KeyboardLeds;
  /** Called when they change. @returns a function that ends that. */
  onLeds(listener: () => void): () => void;
}
