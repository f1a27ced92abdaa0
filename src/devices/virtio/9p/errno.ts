/** Error numbers of Linux (asm-generic/errno-base.h, errno.h), by POSIX's names. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOVERFLOW: 75,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

export type ErrnoName = keyof typeof ERRNO;

/** As a host's file system throws: `code` is the name. */
export class FileError extends Error {
  readonly code: ErrnoName;
  constructor(code: ErrnoName) {
    super(code);
    this.code = code;
  }
}

const NUMBERS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ...Object.entries(ERRNO),
  // Other names for the same.
  ["ENOTSUP", ERRNO.EOPNOTSUPP],
  ["EWOULDBLOCK", ERRNO.EAGAIN],
]);

/** The number for what the host threw; EIO where it has no name that Linux knows. */
export function errnoOf(error: unknown): number {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return NUMBERS.get(code) ?? ERRNO.EIO;
}
