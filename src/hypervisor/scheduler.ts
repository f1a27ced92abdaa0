// Which vCPU runs where. Time is in nanoseconds of the machine's clock, given by the caller: nothing here asks for it.
//
// Stride scheduling by domain: each domain has a virtual time that goes on by (time on a PE / weight); the domain with the least virtual time
// is next. One that has slept gets no more than a slice for it. Above that, by periods of PERIOD: a domain that has had less than
// its reservation in this period comes before all that have none or have had theirs; one that has had its cap runs no more in it.

/** Nanoseconds that a vCPU runs while another wants its PE. */
export const SLICE = 4e6;
/** Nanoseconds over which reservations and caps are kept. */
export const PERIOD = 40e6;
export const DEFAULT_WEIGHT = 256;

/** What a domain may have of the PEs. */
export interface Share {
  /** 1 to 65535: of what is left beside reservations, in proportion to the weights of the others. */
  readonly weight: number;
  /** At most: in PEs (0.5 is half of one); Infinity: no limit. */
  readonly cap: number;
  /** At least, if it wants that much: in PEs. */
  readonly reservation: number;
}

/** A vCPU as the scheduler sees it. */
export interface Schedulable {
  status: "off" | "ready" | "running" | "blocked";
  /** PEs that it may run on, a bit each. */
  pinned: number;
  /** PE that it ran on last, -1: none. */
  lastPe: number;
  /** PE that still has its registers, the only one that it can run on then; -1: none. */
  readonly loadedOn: number;
  /** Since when it has been ready. */
  readySince: number;
  stolen: number;
  cpuTime: number;
}

/** A domain as the scheduler sees it. */
export class ScheduleGroup<T extends Schedulable> {
  readonly members: readonly T[];
  share: Share;
  /** Paused: none of its vCPUs runs. */
  held = false;
  /** Virtual time: nanoseconds x DEFAULT_WEIGHT / weight. */
  pass = 0;
  /** Nanoseconds in this period. */
  used = 0;
  /** Of members: who is asked first, so that they take turns. */
  next = 0;
  running = 0;

  constructor(members: readonly T[], share: Share) {
    this.members = members;
    this.share = share;
  }
}

/** A PE as the scheduler sees it. */
export interface Place<T extends Schedulable> {
  readonly index: number;
  readonly vcpu: T | undefined;
}

export class Scheduler<T extends Schedulable> {
  readonly #groups: ScheduleGroup<T>[] = [];
  readonly #groupOf: (vcpu: T) => ScheduleGroup<T>;
  readonly #places: number;
  #periodEnd = PERIOD;
  /** The least virtual time of those that run: it never goes back. */
  #floor = 0;

  /** @param places how many PEs there are. */
  constructor(places: number, groupOf: (vcpu: T) => ScheduleGroup<T>) {
    this.#places = places;
    this.#groupOf = groupOf;
  }

  /** Reservations of all domains, in PEs. */
  get reserved(): number {
    return this.#groups.reduce((sum, group) => sum + group.share.reservation, 0);
  }

  /** Whether a domain with this reservation can be promised it. */
  admits(reservation: number, instead = 0): boolean {
    return this.reserved - instead + reservation <= this.#places + 1e-9;
  }

  add(group: ScheduleGroup<T>): void {
    group.pass = this.#floor;
    this.#groups.push(group);
  }

  remove(group: ScheduleGroup<T>): void {
    const at = this.#groups.indexOf(group);
    if (at >= 0) this.#groups.splice(at, 1);
  }

  /** `vcpu` wants to run. */
  ready(vcpu: T, now: number): void {
    const group = this.#groupOf(vcpu);
    // Whoever comes back starts with the others; a slice ahead, so that it answers soon.
    if (!group.members.some(isActive)) group.pass = Math.max(group.pass, this.#floor - scaled(SLICE, group));
    vcpu.status = "ready";
    vcpu.readySince = now;
  }

  /** It has had `nanoseconds` of a PE. */
  charge(vcpu: T, nanoseconds: number, now: number): void {
    const group = this.#groupOf(vcpu);
    vcpu.cpuTime += nanoseconds;
    this.#renew(now);
    group.used += nanoseconds;
    group.pass += scaled(nanoseconds, group);
  }

  /** Takes the vCPU that is to run on a PE; undefined: none wants, or may. The one that was there is "ready", or wants nothing. */
  choose(place: number, now: number): T | undefined {
    this.#renew(now);
    let best: ScheduleGroup<T> | undefined;
    let bestVcpu: T | undefined;
    let promised = false;
    for (const group of this.#groups) {
      if (!this.#mayRun(group)) continue;
      const owed = isOwed(group);
      if (promised && !owed) continue;
      if (best !== undefined && owed === promised && !comesBefore(group, best, owed)) continue;
      const vcpu = this.#readyIn(group, place);
      if (vcpu === undefined) continue;
      best = group;
      bestVcpu = vcpu;
      promised = owed;
    }
    if (best === undefined || bestVcpu === undefined) return undefined;
    best.next = (best.members.indexOf(bestVcpu) + 1) % best.members.length;
    if (!promised) this.#floor = Math.max(this.#floor, Math.min(best.pass, this.#leastPass()));
    bestVcpu.status = "running";
    bestVcpu.stolen += Math.max(0, now - bestVcpu.readySince);
    best.running++;
    return bestVcpu;
  }

  /** The vCPU that `choose` gave runs no more. */
  put(vcpu: T, status: "ready" | "blocked" | "off", now: number): void {
    this.#groupOf(vcpu).running--;
    vcpu.status = status;
    if (status === "ready") vcpu.readySince = now;
  }

  /** A vCPU that was put back waits for others: whoever of them is ready comes first. */
  yield(vcpu: T, place: number): void {
    const group = this.#groupOf(vcpu);
    let least = Number.POSITIVE_INFINITY;
    for (const other of this.#groups) {
      if (other !== group && this.#wants(other, place)) least = Math.min(least, other.pass);
    }
    if (least !== Number.POSITIVE_INFINITY) group.pass = Math.max(group.pass, least + 1);
  }

  /** When another choice is due for the PE that runs `vcpu`, if nothing happens before; Infinity: never. */
  sliceEnd(vcpu: T, place: number, now: number): number {
    const group = this.#groupOf(vcpu);
    const { cap, reservation } = group.share;
    // Others may have had their caps, and want to run again in the next period.
    let end = this.nextChance(place);
    if (this.#groups.some((other) => this.#wants(other, place))) {
      end = Math.min(end, now + SLICE);
      // What was promised to others is looked at when the period is over.
      if (this.#groups.some((other) => other !== group && other.share.reservation > 0))
        end = Math.min(end, this.#periodEnd);
      if (isOwed(group)) end = Math.min(end, now + Math.max(1e5, reservation * PERIOD - group.used));
    }
    if (cap !== Number.POSITIVE_INFINITY) {
      const left = cap * PERIOD - group.used;
      end = Math.min(end, now + Math.max(1e5, left / Math.max(1, group.running)));
    }
    return end;
  }

  /** When an idle PE has to look again, because a cap is over; Infinity: never. */
  nextChance(place: number): number {
    const waits = this.#groups.some(
      (group) => !group.held && isSpent(group) && group.members.some((vcpu) => isReady(vcpu, place)),
    );
    return waits ? this.#periodEnd : Number.POSITIVE_INFINITY;
  }

  /** Which PE a vCPU that became ready should interrupt or wake; -1: none. */
  placeFor(vcpu: T, places: readonly Place<T>[], now: number): number {
    this.#renew(now);
    const group = this.#groupOf(vcpu);
    if (!this.#mayRun(group)) return -1;
    const owed = isOwed(group);
    let found = -1;
    let latest = group.pass;
    for (const { index, vcpu: other } of places) {
      if (!isReady(vcpu, index)) continue;
      if (other === undefined) {
        if (index === vcpu.lastPe) return index;
        found = index;
        latest = Number.POSITIVE_INFINITY;
        continue;
      }
      const otherGroup = this.#groupOf(other);
      if (otherGroup === group || latest === Number.POSITIVE_INFINITY) continue;
      const otherOwed = isOwed(otherGroup);
      if (otherOwed && !owed) continue;
      const pass = owed && !otherOwed ? Number.MAX_VALUE : otherGroup.pass;
      if (pass > latest) {
        found = index;
        latest = pass;
      }
    }
    return found;
  }

  #renew(now: number): void {
    if (now < this.#periodEnd) return;
    const periods = Math.floor((now - this.#periodEnd) / PERIOD) + 1;
    this.#periodEnd += periods * PERIOD;
    // Who has had more than its cap, because nobody looked in time, pays for it in the next period.
    for (const group of this.#groups) {
      const cap = group.share.cap === Number.POSITIVE_INFINITY ? 0 : group.share.cap * PERIOD * periods;
      group.used = cap === 0 ? 0 : Math.max(0, group.used - cap);
    }
  }

  #leastPass(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) if (group.members.some(isActive)) least = Math.min(least, group.pass);
    return least;
  }

  #mayRun(group: ScheduleGroup<T>): boolean {
    return !group.held && !isSpent(group);
  }

  #wants(group: ScheduleGroup<T>, place: number): boolean {
    return this.#mayRun(group) && group.members.some((vcpu) => isReady(vcpu, place));
  }

  #readyIn(group: ScheduleGroup<T>, place: number): T | undefined {
    const { members, next } = group;
    let other: T | undefined;
    for (let i = 0; i < members.length; i++) {
      const vcpu = members[(next + i) % members.length] as T;
      if (!isReady(vcpu, place)) continue;
      if (vcpu.lastPe === place || vcpu.lastPe < 0) return vcpu;
      other ??= vcpu;
    }
    return other;
  }
}

const scaled = (nanoseconds: number, group: { readonly share: Share }): number =>
  (nanoseconds * DEFAULT_WEIGHT) / group.share.weight;
const isActive = (vcpu: Schedulable): boolean => vcpu.status === "ready" || vcpu.status === "running";
const isReady = (vcpu: Schedulable, place: number): boolean =>
  vcpu.status === "ready" && ((vcpu.pinned >>> place) & 1) !== 0 && (vcpu.loadedOn < 0 || vcpu.loadedOn === place);
const isOwed = ({ share, used }: { share: Share; used: number }): boolean => used < share.reservation * PERIOD;
const isSpent = ({ share, used }: { share: Share; used: number }): boolean => used >= share.cap * PERIOD;

/** Of two that are owed, the one that has had less of its due; of two others, the one whose virtual time is less. */
function comesBefore<T extends Schedulable>(a: ScheduleGroup<T>, b: ScheduleGroup<T>, owed: boolean): boolean {
  return owed ? a.used / a.share.reservation < b.used / b.share.reservation : a.pass < b.pass;
}
