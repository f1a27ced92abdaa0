// What running code sees of the context that it runs in: of the translation regime, and of pointer authentication.

import { translationChanged } from "../vmsa/context.as";
import { renewContexts } from "../vmsa/contexts.as";
import { forgetContexts, forgetNumbers, saveContext } from "../vmsa/saved-contexts.as";
import { authenticationChanged } from "./pauth.as";

function derive(cpu: usize): void {
  authenticationChanged(cpu);
  translationChanged(cpu);
}

/** See vmsa/native.ts. */
export function contextChanged(cpu: usize): void {
  forgetContexts(cpu);
  derive(cpu);
}

/** See cpu/pe-options.ts. */
export function keepContext(cpu: usize): void {
  derive(cpu);
  saveContext(cpu);
}

/** See cpu/pe-options.ts. */
export function spaceChanged(cpu: usize): void {
  forgetNumbers(cpu);
  renewContexts(cpu);
}
