// A decoded page in linear memory: a record for each of the 1024 instructions of a 4 KiB page of guest memory, and an end record. A record
// is the table index of its handler (u16), its heat (u16), and 12 bytes of operands.

export const RECORD_BYTES = 16;
export const RECORDS = 1024;
/** Bytes of the records of a page, without the end record. */
export const RECORDS_BYTES = RECORDS * RECORD_BYTES;
/**
 * Where a record has its heat: how often a taken branch has come to it, modulo 2^16. Beside the handler, as a branch needs both, and code that
 * runs cold waits for memory most of its time.
 */
export const HEAT = 2;
/** Bytes of a decoded page: a multiple of 16. */
export const DECODED_PAGE_BYTES = RECORDS_BYTES + RECORD_BYTES;

// Table indices of the special handlers; those of (row, shape) and of regions follow.
/** The word has not been decoded: decode it, then execute it. Zero, so that what was never written to is a page of such records. */
export const HANDLER_DECODE = 0;
/** No instruction (the UNDEFINED exception). */
export const HANDLER_UNALLOCATED = 1;
/** The end record: on to the next page. */
export const HANDLER_PAGE_END = 2;
/** Ends a single step. */
export const HANDLER_STOP = 3;
/** First of the others. */
export const HANDLERS_FIRST = 8;
