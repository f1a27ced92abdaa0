/** Names of system registers by id (op0:op1:CRn:CRm:op2 as 16 bits), for people. The processing element's rows fill it. */
export const SYSREG_NAMES = new Map<number, string>();
