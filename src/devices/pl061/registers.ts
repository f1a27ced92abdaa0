// Registers of the PrimeCell GPIO (PL061), DDI 0190B chapter 3, under their names there without the prefix GPIO.

/** Bits [9:2] of the offset are the mask of the lines that the access reaches. */
export const DATA_END = 0x400;
export const DIR = 0x400;
export const IS = 0x404;
export const IBE = 0x408;
export const IEV = 0x40c;
export const IE = 0x410;
export const RIS = 0x414;
export const MIS = 0x418;
export const IC = 0x41c;
export const AFSEL = 0x420;
