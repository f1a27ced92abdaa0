import type { MachineParts, RunnableMachine } from "../machine/runnable.ts";

/** Makes a machine of its parts. @throws BadInput when they do not fit together. */
export async function makeMachine(parts: MachineParts): Promise<RunnableMachine> {
  const path: string = "../machine/machine.ts";
  const { Machine } = (await import(path)) as {
    Machine: { create(parts: MachineParts): Promise<RunnableMachine> };
  };
  return Machine.create(parts);
}
