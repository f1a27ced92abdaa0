import assert from "node:assert/strict";
import { test } from "node:test";
import { PERIOD, type Schedulable, ScheduleGroup, Scheduler, type Share, SLICE } from "./scheduler.ts";

/** A vCPU that runs for `burst` nanoseconds, then sleeps for `rest`; Infinity and 0: it always wants to run. */
class Simulated implements Schedulable {
  status: Schedulable["status"] = "off";
  pinned = -1;
  lastPe = -1;
  readonly loadedOn = -1;
  readySince = 0;
  stolen = 0;
  cpuTime = 0;
  readonly burst: number;
  readonly rest: number;
  left: number;
  wakeAt = 0;
  /** How long after waking it ran, at most. */
  latest = 0;
  wokenAt = -1;
  group!: ScheduleGroup<Simulated>;

  constructor(burst = Number.POSITIVE_INFINITY, rest = 0) {
    this.burst = burst;
    this.rest = rest;
    this.left = burst;
  }
}

const share = (changes: Partial<Share> = {}): Share => ({
  weight: 256,
  cap: Number.POSITIVE_INFINITY,
  reservation: 0,
  ...changes,
});

/** PEs that run groups for `duration`, event by event. Gives the PEs' time that each group had, as a fraction of one PE. */
function simulate(places: number, groups: readonly [Share, readonly Simulated[]][], duration = 4e9): number[] {
  const scheduler = new Scheduler<Simulated>(places, ({ group }) => group);
  const all = groups.map(([share, members]) => new ScheduleGroup(members, share));
  for (const group of all) {
    scheduler.add(group);
    for (const vcpu of group.members) {
      vcpu.group = group;
      scheduler.ready(vcpu, 0);
    }
  }
  const pes = Array.from({ length: places }, (_, index) => ({
    index,
    vcpu: undefined as Simulated | undefined,
    since: 0,
    look: 0,
  }));
  for (let now = 0; now < duration; ) {
    for (const { members } of all) {
      for (const vcpu of members) {
        if (vcpu.status !== "blocked" || vcpu.wakeAt > now) continue;
        scheduler.ready(vcpu, now);
        vcpu.wokenAt = now;
        const pe = pes[scheduler.placeFor(vcpu, pes, now)];
        if (pe) pe.look = now;
      }
    }
    for (const pe of pes) {
      const { vcpu } = pe;
      if (vcpu && vcpu.left > now - pe.since && pe.look > now) continue;
      if (!vcpu && pe.look > now) continue;
      if (vcpu) {
        const used = now - pe.since;
        scheduler.charge(vcpu, used, now);
        vcpu.left -= used;
        const done = vcpu.left <= 0;
        scheduler.put(vcpu, done ? "blocked" : "ready", now);
        if (done) {
          vcpu.left = vcpu.burst;
          vcpu.wakeAt = now + vcpu.rest;
        }
      }
      pe.vcpu = scheduler.choose(pe.index, now);
      pe.since = now;
      if (pe.vcpu === undefined) pe.look = scheduler.nextChance(pe.index);
      else {
        if (pe.vcpu.wokenAt >= 0) pe.vcpu.latest = Math.max(pe.vcpu.latest, now - pe.vcpu.wokenAt);
        pe.vcpu.wokenAt = -1;
        pe.vcpu.lastPe = pe.index;
        pe.look = scheduler.sliceEnd(pe.vcpu, pe.index, now);
      }
    }
    let next = duration;
    for (const { vcpu, since, look } of pes) next = Math.min(next, look, vcpu ? since + vcpu.left : duration);
    for (const { members } of all) {
      for (const vcpu of members) if (vcpu.status === "blocked") next = Math.min(next, vcpu.wakeAt);
    }
    assert.ok(next > now, "time goes on");
    now = next;
  }
  for (const { vcpu, since } of pes) if (vcpu) scheduler.charge(vcpu, duration - since, duration);
  return all.map(({ members }) => members.reduce((sum, { cpuTime }) => sum + cpuTime, 0) / duration);
}

const near = (found: number | undefined, expected: number, by = 0.02): void =>
  assert.ok(Math.abs((found ?? 0) - expected) <= by, `${found} is not near ${expected}`);

test("equal weights get equal shares, whatever the number of vCPUs", () => {
  const [one, four] = simulate(1, [
    [share(), [new Simulated()]],
    [share(), Array.from({ length: 4 }, () => new Simulated())],
  ]);
  near(one, 0.5);
  near(four, 0.5);
});

test("shares are as the weights", () => {
  const [light, heavy] = simulate(1, [
    [share({ weight: 100 }), [new Simulated()]],
    [share({ weight: 300 }), [new Simulated()]],
  ]);
  near(light, 0.25);
  near(heavy, 0.75);
});

test("nothing is left idle that somebody wants", () => {
  const shares = simulate(2, [
    [share(), [new Simulated()]],
    [share(), [new Simulated()]],
    [share(), [new Simulated(1e6, 30e6)]],
  ]);
  near(
    shares.reduce((sum, part) => sum + part, 0),
    2,
    0.01,
  );
});

test("a cap is kept, and the rest is others'", () => {
  const [capped, other] = simulate(1, [
    [share({ cap: 0.2 }), [new Simulated(), new Simulated()]],
    [share(), [new Simulated()]],
  ]);
  near(capped, 0.2);
  near(other, 0.8);
  near(simulate(1, [[share({ cap: 0.3 }), [new Simulated()]]])[0], 0.3);
});

test("a reservation is kept whatever others do and weigh", () => {
  const others = Array.from({ length: 8 }, (): [Share, Simulated[]] => [share({ weight: 1000 }), [new Simulated()]]);
  const [critical] = simulate(1, [[share({ weight: 1, reservation: 0.4 }), [new Simulated()]], ...others]);
  near(critical, 0.4, 0.03);
});

test("who needs less than its reservation leaves the rest, and is served within its wish", () => {
  const critical = new Simulated(2e6, 18e6);
  const [used, other] = simulate(1, [
    [share({ weight: 1, reservation: 0.3 }), [critical]],
    [share(), [new Simulated()]],
  ]);
  near(used, 0.1);
  near(other, 0.9);
  assert.ok(critical.latest < 1e5, `${critical.latest} ns`);
});

test("who sleeps a lot is served at once when it wakes, and saves no claim for later", () => {
  const interactive = new Simulated(1e5, 10e6);
  simulate(1, [
    [share(), [interactive]],
    [share(), [new Simulated()]],
    [share(), [new Simulated()]],
  ]);
  assert.ok(interactive.latest <= SLICE, `${interactive.latest} ns`);
  // After two seconds of sleep it has a slice more than others, not two seconds.
  const sleeper = new Simulated(Number.POSITIVE_INFINITY, 0);
  const scheduler = new Scheduler<Simulated>(1, ({ group }) => group);
  const busy = new Simulated();
  for (const vcpu of [sleeper, busy]) {
    vcpu.group = new ScheduleGroup([vcpu], share());
    scheduler.add(vcpu.group);
  }
  scheduler.ready(busy, 0);
  for (let now = 0; now < 2e9; now += SLICE) {
    assert.equal(scheduler.choose(0, now), busy);
    scheduler.charge(busy, SLICE, now + SLICE);
    scheduler.put(busy, "ready", now + SLICE);
  }
  scheduler.ready(sleeper, 2e9);
  let had = 0;
  for (let now = 2e9; now < 2.4e9; now += SLICE) {
    const vcpu = scheduler.choose(0, now) as Simulated;
    if (vcpu === sleeper) had += SLICE;
    scheduler.charge(vcpu, SLICE, now + SLICE);
    scheduler.put(vcpu, "ready", now + SLICE);
  }
  assert.ok(had <= 0.2e9 + 2 * SLICE, `${had}`);
});

test("pinned vCPUs run where they may", () => {
  const [first, second, third] = [new Simulated(), new Simulated(), new Simulated()];
  first.pinned = second.pinned = 1;
  third.pinned = 2;
  const shares = simulate(2, [
    [share(), [first]],
    [share(), [second]],
    [share(), [third]],
  ]);
  near(shares[0], 0.5);
  near(shares[1], 0.5);
  near(shares[2], 1);
});

test("no more is promised than there is", () => {
  const scheduler = new Scheduler<Simulated>(2, ({ group }) => group);
  assert.ok(scheduler.admits(2));
  scheduler.add(new ScheduleGroup<Simulated>([], share({ reservation: 1.5 })));
  assert.ok(scheduler.admits(0.5));
  assert.ok(!scheduler.admits(0.6));
  assert.ok(scheduler.admits(2, 1.5));
});

test("one that is paused does not run, and a period is longer than a slice", () => {
  assert.ok(PERIOD > 2 * SLICE);
  const scheduler = new Scheduler<Simulated>(1, ({ group }) => group);
  const vcpu = new Simulated();
  vcpu.group = new ScheduleGroup([vcpu], share());
  scheduler.add(vcpu.group);
  scheduler.ready(vcpu, 0);
  vcpu.group.held = true;
  assert.equal(scheduler.choose(0, 1), undefined);
  vcpu.group.held = false;
  assert.equal(scheduler.choose(0, 2), vcpu);
});
