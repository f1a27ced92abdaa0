// Which network interfaces a machine cannot have side by side. Without schemas: loading those takes longer than a machine that starts.

/** What an interface may be plugged into, whoever's it is. */
export type AnyNet = { readonly kind: string; readonly mac?: string | undefined };

/** What keeps a machine from having these interfaces, by the one that should be another. */
export function netProblems(list: readonly AnyNet[]): { readonly index: number; readonly message: string }[] {
  const macs = list.map((net) => ("mac" in net ? net.mac : undefined));
  return list.flatMap(({ kind }, index) => {
    const mac = macs[index];
    if (kind === "none" && list.length > 1) return { index, message: "none is alone" };
    if (kind === "user" && list.findIndex((net) => net.kind === "user") < index)
      return { index, message: "give user once: its addresses are always the same" };
    if (mac !== undefined && macs.indexOf(mac) < index)
      return { index, message: "give each interface a mac of its own" };
    return [];
  });
}
