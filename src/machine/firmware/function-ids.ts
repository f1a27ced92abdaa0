// Function identifiers and return codes of the firmware's services.

/** PSCI 1.1 (DEN0022 D), table 5. The 64-bit calling convention's identifier has bit 30 set. */
export const PSCI = {
  PSCI_VERSION: 0x8400_0000,
  CPU_SUSPEND_32: 0x8400_0001,
  CPU_SUSPEND_64: 0xc400_0001,
  CPU_OFF: 0x8400_0002,
  CPU_ON_32: 0x8400_0003,
  CPU_ON_64: 0xc400_0003,
  AFFINITY_INFO_32: 0x8400_0004,
  AFFINITY_INFO_64: 0xc400_0004,
  MIGRATE_32: 0x8400_0005,
  MIGRATE_64: 0xc400_0005,
  MIGRATE_INFO_TYPE: 0x8400_0006,
  SYSTEM_OFF: 0x8400_0008,
  SYSTEM_RESET: 0x8400_0009,
  PSCI_FEATURES: 0x8400_000a,
  SYSTEM_RESET2_32: 0x8400_0012,
  SYSTEM_RESET2_64: 0xc400_0012,
} as const;

/** PSCI 1.1, section 5.2.2. */
export const PSCI_RESULT = {
  SUCCESS: 0,
  NOT_SUPPORTED: -1,
  INVALID_PARAMETERS: -2,
  DENIED: -3,
  ALREADY_ON: -4,
  ON_PENDING: -5,
  INTERNAL_FAILURE: -6,
  NOT_PRESENT: -7,
  DISABLED: -8,
  INVALID_ADDRESS: -9,
} as const;

/** SMC Calling Convention 1.2 (DEN0028), sections 7.2 to 7.6. */
export const SMCCC = {
  VERSION: 0x8000_0000,
  ARCH_FEATURES: 0x8000_0001,
  ARCH_SOC_ID: 0x8000_0002,
  ARCH_WORKAROUND_1: 0x8000_8000,
  ARCH_WORKAROUND_2: 0x8000_7fff,
  ARCH_WORKAROUND_3: 0x8000_3fff,
} as const;

export const SMCCC_RESULT = { SUCCESS: 0, NOT_SUPPORTED: -1, NOT_REQUIRED: -2, INVALID_PARAMETER: -3 } as const;

/** Arm True Random Number Generator firmware interface 1.0 (DEN0098), section 2. */
export const TRNG = {
  VERSION: 0x8400_0050,
  FEATURES: 0x8400_0051,
  GET_UUID: 0x8400_0052,
  RND_32: 0x8400_0053,
  RND_64: 0xc400_0053,
} as const;

export const TRNG_RESULT = { SUCCESS: 0, NOT_SUPPORTED: -1, INVALID_PARAMETERS: -2, NO_ENTROPY: -3 } as const;
