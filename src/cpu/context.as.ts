// What running code sees of the context that it runs in: of the translation regime, and of pointer authentication.

import { translationChanged } from "../vmsa/context.as";
import { authenticationChanged } from "./pauth.as";

/** See vmsa/native.ts. */
export function contextChanged(cpu: usize): void {
  authenticationChanged(cpu);
  translationChanged(cpu);
}
