// Every limit of the engine, with its reason.

/**
 * Decoded pages that are kept. A Linux desktop's working set of code is 2000 to 3000 pages, and two guests of a hypervisor have as much; each
 * takes 22 KiB with the copy of its memory, so this is 90 MB at most, touched only as far as it is used.
 */
export const MAX_DECODED_PAGES = 4096;

/**
 * Where all code is invalidated while not more decoded pages than this are in use, they are compared at once: a hypervisor does so in a loop,
 * and the same few pages are in use each time.
 */
export const COMPARED_AT_ONCE = 8;

/** When decoded pages run out, this part of them is dropped, the oldest first: fewer, and the drops (which flush every ITLB) are too many. */
export const EVICTED_PART = 8;

/** Instructions that are decoded in one go: a call into TypeScript costs about as much as decoding one. */
export const DECODE_AHEAD = 8;

/**
 * Table entries for translated regions. An hour of compiling in a guest held 2733 at most. Each is filled when a machine is made: 32768 took 1.7 ms
 * more.
 */
export const MAX_REGIONS = 1 << 13;

/** Bounds of one region: V8's optimizing compiler loses more than it gains in bodies beyond about 20 KB or some hundred blocks. */
export const MAX_REGION_INSTRUCTIONS = 256;
export const MAX_REGION_BLOCKS = 64;

/**
 * Functions that are called become part of their caller's region, once for each call, if they have at most so many instructions without those
 * that they call themselves, and at most so many calls deep.
 */
export const MAX_CALLED_INSTRUCTIONS = 64;
export const MAX_CALL_DEPTH = 4;
/** Instruction words whose IR is kept: about 2 KB each. */
export const MAX_WORDS_READ = 1 << 10;
/** Pages that a region has code of. */
export const MAX_REGION_PAGES = 6;

/** Regions that are compiled together: one module for many costs less per region than one each. */
export const MAX_BATCH = 64;
/** In a thread of its own, after which what is made by then is compiled: in its first moments that thread is slow, and the guest waits. */
export const MAX_BATCH_MILLISECONDS = 8;
/** Regions that another thread is given at a time: what becomes hot while it makes them is not to wait for many that are less so. */
export const MAX_UNDER_WAY = 8;
/** Slices of a PE after which what waits for its translation counts half. */
export const FORGET = 512;
/** Slices of a PE after which even a few are compiled: 10 ms or less. */
export const MAX_WAIT = 32;

/** WebAssembly of all regions, in bytes; the machine code that V8 makes of it takes two to four times as much. */
export const MAX_TRANSLATED_BYTES = 16 << 20;

/** When that or the table is used up, this part of the regions is dropped, the oldest pages first. */
export const DROPPED_PART = 4;

/**
 * Taken branches that have come to a place before it is worth being in the region of another. What seldom runs makes a region's entry
 * load more registers, and its compilation longer.
 */
export const WARM = 16;

/** Taken branches to a place after which it is looked at whether it is hot: a power of 2. */
export const LOOK_EVERY = 512;
/**
 * Slices before the other thread starts for such places alone. A guest that was restored answers a newline within 60 ms, some 200 slices, and
 * took 50 ms longer when the thread started meanwhile.
 */
export const KEPT_PATIENCE = 256;
/**
 * Taken branches to a place whose region is kept from an earlier run, before it is asked for. It need not be found and lowered, but still costs V8's
 * compilation: with 1600 regions kept and 32 arrivals, booting took 1.46 s instead of 1.28 without any, and with 512 it takes 1.24.
 */
export const KEPT_ARRIVALS = 512;
/**
 * A place is hot that is looked at so often while so many instructions are executed: a loop that runs now. Of what is looked at
 * twice only a fifth goes on for long enough that its translation pays.
 */
export const HOT_LOOKS = 6;
export const HOT_WINDOW = 1 << 20;
/**
 * Taken branches to a place after which it is hot, however long they took. The interpreter is quick, a translation costs a millisecond and
 * code that is as large as the interpreter's part for it, so it pays late.
 */
export const HOT = 16384;
