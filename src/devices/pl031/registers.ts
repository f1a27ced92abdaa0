// Registers of the PrimeCell real time clock (PL031), DDI 0224C chapter 3, under their names there without the prefix RTC.

export const DR = 0x00;
export const MR = 0x04;
export const LR = 0x08;
export const CR = 0x0c;
export const IMSC = 0x10;
export const RIS = 0x14;
export const MIS = 0x18;
export const ICR = 0x1c;
