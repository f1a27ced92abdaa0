/** What went wrong, by POSIX's name, as shared folders say it (bus/folder.ts). */
export function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** @param error of the browser's functions for files. */
export function failureOf(error: unknown): Error {
  const { name, code } = error as { readonly name?: string; readonly code?: unknown };
  if (typeof code === "string") return error as Error;
  if (name === "QuotaExceededError") return failure("ENOSPC");
  if (name === "NotAllowedError" || name === "NoModificationAllowedError" || name === "SecurityError") {
    return failure("EACCES");
  }
  if (name === "NotFoundError") return failure("ESTALE");
  return failure("EIO");
}
