// Numbers of the Remote Framebuffer protocol (RFC 6143, and the registry of its extensions in the RFB community's rfbproto).

/** RFC 6143, 7.1.2. */
export const SECURITY = { none: 1, vnc: 2 } as const;

/** Client to server (7.5, and the community's extensions). */
export const CLIENT = {
  setPixelFormat: 0,
  setEncodings: 2,
  framebufferUpdateRequest: 3,
  keyEvent: 4,
  pointerEvent: 5,
  clientCutText: 6,
  setDesktopSize: 251,
  qemu: 255,
} as const;
/** Submessage of `qemu`. */
export const QEMU_EXTENDED_KEY_EVENT = 0;

/** Server to client (7.6). */
export const FRAMEBUFFER_UPDATE = 0;

/** Encodings and pseudo-encodings (7.7, 7.8), as signed numbers. */
export const ENCODING = {
  raw: 0,
  zrle: 16,
  desktopSize: -223,
  cursor: -239,
  qemuExtendedKeyEvent: -258,
  qemuLedState: -261,
  extendedDesktopSize: -308,
  cursorWithAlpha: -314,
} as const;

/** Of an ExtendedDesktopSize rectangle: who asked for the size (x-position), and what has become of it (y-position). */
export const RESIZE_REASON = { server: 0, thisClient: 1 } as const;
export const RESIZE_STATUS = { ok: 0, prohibited: 1, invalidLayout: 3, forwarded: 4 } as const;
