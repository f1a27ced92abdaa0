// Addresses of VNC servers.

/** Port of display 0. */
export const FIRST_PORT = 5900;
/** Numbers below it are displays, as VNC viewers have it. */
export const VNC_DISPLAYS = 100;

/** Whether what is listened at there can only be reached from this computer. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
