// What a walk reads, for those who look at it from outside of the guest: the descriptors of both stages in the order in which they were
// read. Notes are taken only while that is asked for.

/** Descriptors of the longest walk: at each of 4 levels of stage 1, and for its output, 4 of stage 2. */
const MOST: i32 = 24;
/** Of a note: i32 stage, i32 level, then i64 each: the address before stage 2, the physical address, the descriptor. */
const NOTE_BYTES: usize = 32;
const notes = memory.data(768, 8);

let isNoting: bool = false;
let count: i32 = 0;

@inline
export function note(stage: i32, level: i32, ipa: u64, pa: u64, descriptor: u64): void {
  if (isNoting) add(stage, level, ipa, pa, descriptor);
}

function add(stage: i32, level: i32, ipa: u64, pa: u64, descriptor: u64): void {
  if (count == MOST) return;
  const at = notes + <usize>count * NOTE_BYTES;
  store<i32>(at, stage);
  store<i32>(at, level, 4);
  store<u64>(at, ipa, 8);
  store<u64>(at, pa, 16);
  store<u64>(at, descriptor, 24);
  count += 1;
}

/** Begins to take notes (1), or ends it (0). How many there are. */
export function noteWalk(on: i32): i32 {
  isNoting = on != 0;
  if (isNoting) count = 0;
  return count;
}

/** Where the notes are. */
export function walkNotes(): usize {
  return notes;
}
