// Types and codes of input events (virtio 1.2, 5.8.6.1: those of linux/input-event-codes.h).

export const EV = { syn: 0, key: 1, rel: 2, abs: 3, led: 0x11, rep: 0x14 } as const;
export const SYN_REPORT = 0;
export const REL = { hwheel: 6, wheel: 8 } as const;
export const ABS = { x: 0, y: 1 } as const;
export const LED = { numLock: 0, capsLock: 1, scrollLock: 2 } as const;
export const BTN = { left: 0x110, right: 0x111, middle: 0x112, side: 0x113, extra: 0x114 } as const;

/** KEY_ESC to KEY_MICMUTE: what keyboards have. */
export const KEY_FIRST = 1;
export const KEY_LAST = 248;
