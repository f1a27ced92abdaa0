// Registers and fields of the PrimeCell UART (PL011), DDI 0183G chapter 3, under their names there without the prefix UART.

export const DR = 0x000;
export const RSR_ECR = 0x004;
export const FR = 0x018;
export const ILPR = 0x020;
export const IBRD = 0x024;
export const FBRD = 0x028;
export const LCR_H = 0x02c;
export const CR = 0x030;
export const IFLS = 0x034;
export const IMSC = 0x038;
export const RIS = 0x03c;
export const MIS = 0x040;
export const ICR = 0x044;
export const DMACR = 0x048;

/** Error flags of a received character, in DR; RSR has them from bit 0. */
export const DR_BE = 1 << 10;
export const DR_OE = 1 << 11;

export const FR_CTS = 1 << 0;
export const FR_DSR = 1 << 1;
export const FR_DCD = 1 << 2;
export const FR_RXFE = 1 << 4;
export const FR_RXFF = 1 << 6;
export const FR_TXFE = 1 << 7;
export const FR_RI = 1 << 8;

export const LCR_H_BRK = 1 << 0;
export const LCR_H_FEN = 1 << 4;

export const CR_LBE = 1 << 7;
export const CR_TXE = 1 << 8;
export const CR_RXE = 1 << 9;
export const CR_DTR = 1 << 10;
export const CR_RTS = 1 << 11;
export const CR_OUT1 = 1 << 12;
export const CR_OUT2 = 1 << 13;

// Bits of IMSC, RIS, MIS and ICR.
export const INT_RI = 1 << 0;
export const INT_CTS = 1 << 1;
export const INT_DCD = 1 << 2;
export const INT_DSR = 1 << 3;
export const INT_RX = 1 << 4;
export const INT_TX = 1 << 5;
export const INT_RT = 1 << 6;
export const INT_BE = 1 << 9;
export const INT_OE = 1 << 10;

/** The bits that each plain register keeps of what is written to it. */
export const STORED = {
  [ILPR]: 0xff,
  [IBRD]: 0xffff,
  [FBRD]: 0x3f,
  [LCR_H]: 0xff,
  [CR]: 0xff87,
  [IFLS]: 0x3f,
  [IMSC]: 0x7ff,
  [DMACR]: 0x7,
} as const;

/** 3.3.9: level selections of IFLS.RXIFLSEL, in thirty-seconds of the receive FIFO. The rest are reserved. */
export const RX_TRIGGER = [4, 8, 16, 24, 28] as const;
