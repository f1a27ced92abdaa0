// What a machine of the library shows of itself, for programs and for people who learn.

import type { ExceptionEvent } from "../../machine/inspection/exceptions.ts";
import type { HotCode } from "../../machine/inspection/inspector.ts";
import type { Walk } from "../../machine/inspection/walk.ts";
import type { PeReport } from "../../machine/report.ts";
import type { Statistic } from "../../machine/runnable.ts";
import type { Remote } from "./calls.ts";
import type { Session } from "./session.ts";

/** @internal The part of a machine that is looked at. The guest notices none of it. */
export abstract class InspectedMachine {
  /** @internal */
  protected readonly session: Remote<Session>;

  protected constructor(session: Remote<Session>) {
    this.session = session;
  }

  /**
   * Counters since power-on, each with a section, a name, a value and its unit.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * const counters = await machine.statistics();
   * const all = counters.find(({ section, name }) => section === "instructions" && name === "all");
   * assert(all.value > 1e6);
   * await machine.close();
   */
  statistics(): Promise<readonly Statistic[]> {
    return this.session.statistics();
  }

  /**
   * Registers of every processing element, as lines for people.
   *
   * @example
   * const machine = await Machine.create({ boot: true });
   * assert.match(await machine.registers(), /PC=0000000040\w+ .* EL1h/);
   * await machine.close();
   */
  registers(): Promise<string> {
    return this.session.registers();
  }

  /**
   * The physical memory map, as lines for people.
   *
   * @example
   * const machine = await Machine.create();
   * assert.match(await machine.memoryMap(), /000009000000-000009000fff/);
   * await machine.close();
   */
  memoryMap(): Promise<string> {
    return this.session.memoryMap();
  }

  /**
   * The device tree blob that the guest is given.
   *
   * @example
   * const machine = await Machine.create();
   * assert.deepEqual([...(await machine.deviceTree()).slice(0, 4)], [0xd0, 0x0d, 0xfe, 0xed]);
   * await machine.close();
   */
  deviceTree(): Promise<Uint8Array> {
    return this.session.deviceTree();
  }

  /**
   * The registers of every processing element, for programs.
   *
   * @example
   * const machine = await Machine.create({ cpus: 2 });
   * const [first, second] = await machine.processors();
   * assert.equal(first.level, 1);
   * assert.equal(second.power, "off");
   * await machine.close();
   */
  processors(): Promise<PeReport[]> {
    return this.session.processors();
  }

  /**
   * How a read of a virtual address goes: every descriptor of both stages, in the order in which the walk reads them. The guest notices
   * nothing.
   *
   * @param cpu index of the processing element. @param address hexadecimal. @param level exception level of the read.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.pause();
   * const [{ system }] = await machine.processors();
   * const vectors = system.find(([name]) => name === "VBAR_EL1")[1];
   * const walk = await machine.walk(0, vectors, 1);
   * assert.equal(walk.steps[0].kind, "table");
   * assert.match(walk.physical, /^0x4/);
   * await machine.close();
   */
  walk(cpu: number, address: string, level: number): Promise<Walk> {
    return this.session.walk(cpu, address, level);
  }

  /**
   * Interrupts that are enabled, pending or active, and what is in the list registers of the virtual interfaces.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * const { lines } = await machine.interrupts();
   * assert(lines.some(({ name, enabled }) => name === "virtual timer" && enabled));
   * await machine.close();
   */
  interrupts(): ReturnType<Remote<Session>["interrupts"]> {
    return this.session.interrupts();
  }

  /**
   * Records exceptions from now on, or ends that. The machine is slower while it does.
   *
   * @returns whether they are recorded: not where the configuration has a trace.
   * @example
   * const machine = await Machine.create();
   * assert.equal(await machine.recordExceptions(true), true);
   * await machine.close();
   */
  recordExceptions(on: boolean): Promise<boolean> {
    return this.session.recordExceptions(on);
  }

  /**
   * The last exceptions and returns that were recorded, oldest first.
   *
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * await machine.recordExceptions(true);
   * await machine.type("true\n");
   * await machine.waitFor("~# ");
   * const events = await machine.exceptions();
   * assert(events.some(({ from, to, text }) => from === 0 && to === 1 && text.startsWith("SVC")));
   * await machine.close();
   */
  exceptions(): Promise<ExceptionEvent[]> {
    return this.session.exceptions();
  }

  /**
   * The code that was found running since the last call, the most frequent first. Functions of a Linux kernel have their names.
   *
   * @param most entries at most.
   * @example
   * const machine = await Machine.create();
   * await machine.start();
   * await machine.waitFor("~# ");
   * assert((await machine.hotCode(5)).length > 0);
   * await machine.close();
   */
  hotCode(most: number): Promise<HotCode[]> {
    return this.session.hotCode(most);
  }
}
