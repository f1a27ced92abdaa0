import type { Attrs, OpName, Value } from "./builder.ts";
import { PURE_OPS } from "./pure-ops.ts";
import type { Type } from "./types.ts";

// The builder's methods for pure operations (`b.i32.add`). A builder is made for every instruction that is translated, and needs few of
// them: each is made when it is first asked for.

interface Emitter {
  emit(op: OpName, type: Type | "", args: readonly Value[], attrs?: Attrs): Value;
}
type Operation = (...values: Value[]) => Value;

/** Throws TypeError when a value is not of the type. */
export function checkType(what: string, v: Value, type: Type): void {
  if (v.type !== type) throw new TypeError(`${what}: expected ${type}, found ${v.type} from ${v.inst.op}`);
}

function operation(builder: Emitter, name: keyof typeof PURE_OPS): Operation {
  const [, result, args] = PURE_OPS[name];
  const types = args.split(" ") as Type[];
  return (...values) => {
    if (values.length !== types.length) {
      throw new TypeError(`${name}: expected ${types.length} arguments, found ${values.length}`);
    }
    for (let i = 0; i < types.length; i++) checkType(name, values[i] as Value, types[i] as Type);
    return builder.emit(name, result, values);
  };
}

/** By prefix ("i32", "f64x2"): an object of getters that put a method in their own place. */
const prototypes = new Map<string, object>();
for (const key of Object.keys(PURE_OPS)) {
  const name = key as keyof typeof PURE_OPS;
  const [prefix, method] = name.split(".") as [string, string];
  const prototype = prototypes.get(prefix) ?? {};
  prototypes.set(prefix, prototype);
  Object.defineProperty(prototype, method, {
    get(this: { readonly builder: Emitter }): Operation {
      const value = operation(this.builder, name);
      Object.defineProperty(this, method, { value });
      return value;
    },
  });
}

/** The pure operations of a prefix, which append to `builder`. */
export function namespaceOf<N>(prefix: string, builder: Emitter): N {
  return Object.create(prototypes.get(prefix) as object, { builder: { value: builder } }) as N;
}
