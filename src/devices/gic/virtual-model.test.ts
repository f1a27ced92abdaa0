import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as R from "./sysreg-ids.ts";
import { ACTIVE, INVALID, PENDING, VirtualBench, VMCR, vmcr } from "./virtual-bench.ts";

// The virtual CPU interface against a plain model of it: lists of interrupts and of active priorities, searched from the definitions of
// IHI0069 chapter 6.

interface Entry {
  intid: number;
  pending: boolean;
  active: boolean;
  priority: number;
  group: 0 | 1;
  eoi: boolean;
}

/** ICH_HCR_EL2 with En and the enables of all maintenance interrupts. */
const ALL_ENABLES = 0xff;
const IDLE = 0xff;
const NONE = 1023;

class Model {
  readonly list: Entry[] = Array.from({ length: 4 }, () => empty());
  /** Of both groups. */
  running: { priority: number; group: 0 | 1 }[] = [];
  enabled = [true, true];
  mask = 0xf8;
  points = [2, 3];
  common = false;
  split = false;
  count = 0;

  get priority(): number {
    return Math.min(IDLE, ...this.running.map((r) => r.priority));
  }

  groupPriority({ priority, group }: Entry): number {
    const bits = group === 1 && !this.common ? (this.points[1] as number) - 1 : (this.points[0] as number);
    const size = 2 ** (bits + 1);
    return Math.floor(priority / size) * size;
  }

  get best(): Entry | undefined {
    return this.list
      .filter((e) => e.pending && !e.active && this.enabled[e.group])
      .reduce<Entry | undefined>((best, e) => (best && best.priority <= e.priority ? best : e), undefined);
  }

  get signalled(): Entry | undefined {
    const { best } = this;
    return best && best.priority < this.mask && this.groupPriority(best) < this.priority ? best : undefined;
  }

  acknowledge(group: 0 | 1): number {
    const taken = this.signalled;
    if (taken?.group !== group) return NONE;
    taken.pending = false;
    taken.active = true;
    this.running.push({ priority: this.groupPriority(taken), group });
    return taken.intid;
  }

  end(intid: number, group: 0 | 1): void {
    if (this.running.length === 0) return;
    const { priority } = this;
    this.running.splice(
      this.running.findIndex((r) => r.priority === priority),
      1,
    );
    if (this.split) return;
    const entry = this.#find(intid);
    if (!entry) this.count = (this.count + 1) % 32;
    else if (entry.group === group && this.groupPriority(entry) === priority) deactivate(entry);
  }

  deactivate(intid: number): void {
    if (!this.split) return;
    const entry = this.#find(intid);
    if (entry) deactivate(entry);
    else this.count = (this.count + 1) % 32;
  }

  #find(intid: number): Entry | undefined {
    return this.list.find((e) => e.active && e.intid === intid);
  }

  get ended(): boolean[] {
    return this.list.map((e) => e.eoi && !e.pending && !e.active);
  }

  /** By name, what ICH_MISR_EL2 may hold. */
  get reasons(): string[] {
    const valid = this.list.filter((e) => e.pending || e.active).length;
    return [
      ...(this.ended.includes(true) ? ["EOI"] : []),
      ...(valid < 2 ? ["U"] : []),
      ...(this.count > 0 ? ["LRENP"] : []),
      ...(this.list.some((e) => e.pending && !e.active) ? [] : ["NP"]),
      this.enabled[0] ? "VGrp0E" : "VGrp0D",
      this.enabled[1] ? "VGrp1E" : "VGrp1D",
    ];
  }
}

const empty = (): Entry => ({ intid: 0, pending: false, active: false, priority: 0, group: 0, eoi: false });
const deactivate = (entry: Entry): void => {
  entry.active = false;
};

const MISR = ["EOI", "U", "LRENP", "NP", "VGrp0E", "VGrp0D", "VGrp1E", "VGrp1D"];

// Few INTIDs and priorities, so that they meet. Two list registers with one INTID would be UNPREDICTABLE.
const priority = fc.integer({ min: 0, max: 31 }).map((n) => n << 3);
const group = fc.constantFrom<0 | 1>(0, 1);
const step = fc.oneof(
  fc.record({ do: fc.constant("list" as const), n: fc.nat(3), state: fc.nat(3), priority, group, eoi: fc.boolean() }),
  fc.record({ do: fc.constant("acknowledge" as const), group }),
  fc.record({ do: fc.constant("end" as const), group, n: fc.nat(4) }),
  fc.record({ do: fc.constant("deactivate" as const), n: fc.nat(4) }),
  fc.record({ do: fc.constant("mask" as const), priority }),
  fc.record({ do: fc.constant("point" as const), group, value: fc.nat(7) }),
  fc.record({ do: fc.constant("control" as const), common: fc.boolean(), split: fc.boolean() }),
  fc.record({ do: fc.constant("enable" as const), group, on: fc.boolean() }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function apply(b: VirtualBench, model: Model, s: Step): void {
  switch (s.do) {
    case "list": {
      const entry = { intid: 32 + s.n, priority: s.priority, group: s.group, eoi: s.eoi };
      model.list[s.n] = { ...entry, pending: (s.state & 1) !== 0, active: (s.state & 2) !== 0 };
      b.list(s.n, { ...entry, state: s.state });
      break;
    }
    case "acknowledge":
      assert.equal(b.acknowledge(s.group), model.acknowledge(s.group));
      break;
    case "end":
      model.end(32 + s.n, s.group);
      b.end(32 + s.n, s.group);
      break;
    case "deactivate":
      model.deactivate(32 + s.n);
      b.icv(R.ICC_DIR_EL1, 32 + s.n);
      break;
    case "mask":
      model.mask = s.priority;
      b.icv(R.ICC_PMR_EL1, s.priority);
      break;
    case "point":
      if (s.group === 0 || !model.common) model.points[s.group] = Math.max(s.value, s.group === 0 ? 2 : 3);
      b.icv(s.group === 0 ? R.ICC_BPR0_EL1 : R.ICC_BPR1_EL1, s.value);
      break;
    case "control":
      model.common = s.common;
      model.split = s.split;
      b.icv(R.ICC_CTLR_EL1, (s.split ? 2 : 0) | (s.common ? 1 : 0));
      break;
    case "enable":
      model.enabled[s.group] = s.on;
      b.icv(s.group === 0 ? R.ICC_IGRPEN0_EL1 : R.ICC_IGRPEN1_EL1, s.on ? 1 : 0);
  }
}

function compare(b: VirtualBench, model: Model): void {
  const { signalled, best } = model;
  assert.deepEqual([b.virq, b.vfiq], [signalled?.group === 1, signalled?.group === 0]);
  assert.equal(b.runningPriority, model.priority);
  assert.equal(b.readIcv(R.ICC_HPPIR0_EL1), best?.group === 0 ? best.intid : NONE);
  assert.equal(b.readIcv(R.ICC_HPPIR1_EL1), best?.group === 1 ? best.intid : NONE);
  for (const [n, { pending, active }] of model.list.entries()) {
    assert.equal(b.stateOf(n), (pending ? PENDING : INVALID) | (active ? ACTIVE : INVALID));
  }
  const bits = (flags: readonly boolean[]): number => flags.reduce((sum, on, n) => sum + (on ? 2 ** n : 0), 0);
  assert.equal(b.readIch(R.ICH_EISR_EL2), bits(model.ended));
  assert.equal(b.readIch(R.ICH_ELRSR_EL2), bits(model.list.map((e) => !e.pending && !e.active && !e.eoi)));
  assert.equal(b.readIch(R.ICH_HCR_EL2) >>> 27, model.count);
  assert.equal(b.readIch(R.ICH_MISR_EL2), bits(MISR.map((name) => model.reasons.includes(name))));
  assert.equal(b.maintenance, true, "some group is on or off");
}

test("whatever hypervisor and guest do, the virtual CPU interface is as a plain model of it says", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const b = new VirtualBench();
      const model = new Model();
      b.ich(R.ICH_VMCR_EL2, vmcr(VMCR.veng0 | VMCR.veng1));
      b.ich(R.ICH_HCR_EL2, ALL_ENABLES);
      for (const s of steps) {
        apply(b, model, s);
        compare(b, model);
      }
    }),
    { numRuns: 300 },
  );
});
