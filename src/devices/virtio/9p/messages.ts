// Numbers of the protocol 9P2000.L (linux/include/net/9p/9p.h and the protocol's description by diod).

/** Messages of the client's. Its answer is the next number. */
export const T = {
  statfs: 8,
  lopen: 12,
  lcreate: 14,
  symlink: 16,
  mknod: 18,
  rename: 20,
  readlink: 22,
  getattr: 24,
  setattr: 26,
  xattrwalk: 30,
  xattrcreate: 32,
  readdir: 40,
  fsync: 50,
  lock: 52,
  getlock: 54,
  link: 70,
  mkdir: 72,
  renameat: 74,
  unlinkat: 76,
  version: 100,
  auth: 102,
  attach: 104,
  flush: 108,
  walk: 110,
  read: 116,
  write: 118,
  clunk: 120,
  remove: 122,
} as const;

export const R_LERROR = 7;

/** size[4] type[1] tag[2] */
export const HEADER_BYTES = 7;
/** Header and errno[4]. */
export const ERROR_BYTES = 11;
/** What a read's answer, and a readdir's, has before its data: header and count[4]. */
export const READ_HEADER_BYTES = 11;
/** type[1] version[4] path[8] */
export const QID_BYTES = 13;

export const VERSION = "9P2000.L";
/** Bytes of a message at most: what a client that asks for more gets. */
export const MSIZE_MAX = 512 * 1024;
/** Names in one Twalk (MAXWELEM). */
export const WALK_MAX = 16;
/** "no fid" and "no user": all ones. */
export const NONE = 0xffff_ffff;

export const QID_DIRECTORY = 0x80;
export const QID_LINK = 0x02;

/** Flags of lopen and lcreate (P9_DOTL_*), which are octal and those of most Linux architectures. */
export const OPEN = {
  access: 0o3,
  writeOnly: 0o1,
  readWrite: 0o2,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  directory: 0o200000,
} as const;

/** getattr: what is valid in the answer (P9_STATS_BASIC). */
export const GETATTR_BASIC = 0x7ff;

/** setattr: what to set (P9_ATTR_*). */
export const SETATTR = {
  mode: 0x1,
  uid: 0x2,
  gid: 0x4,
  size: 0x8,
  atime: 0x10,
  mtime: 0x20,
  ctime: 0x40,
  atimeSet: 0x80,
  mtimeSet: 0x100,
} as const;

/** unlinkat: a directory (P9_DOTL_AT_REMOVEDIR). */
export const AT_REMOVEDIR = 0x200;

export const LOCK = { read: 0, write: 1, unlock: 2, success: 0 } as const;

/** Types of directory entries (DT_*). */
export const DT = { unknown: 0, directory: 4, file: 8, link: 10 } as const;

/** statfs: V9FS_MAGIC. */
export const FILE_SYSTEM_TYPE = 0x0102_1997;
