// The names that the library gives beside the machine itself, the same on every host.

export type { ExceptionEvent } from "../../machine/inspection/exceptions.ts";
export type { HotCode } from "../../machine/inspection/inspector.ts";
export type { InterruptView, ListRegisterView } from "../../machine/inspection/interrupts.ts";
export type { Walk, WalkStep } from "../../machine/inspection/walk.ts";
export type { PeReport } from "../../machine/report.ts";
export type { Statistic } from "../../machine/runnable.ts";
export type { MachineConfiguration, Source } from "./config.ts";
export type { ConsoleStreams } from "./console-streams.ts";
export { AtollError, type ErrorCode } from "./errors.ts";
export type { ConnectionListener, GuestConnection } from "./guest-connections.ts";
export type { MachineEvents } from "./machine.ts";
export type { MachineOrigin } from "./new-machine.ts";
export type { Frame, FrameCursor } from "./screen.ts";
export type { InputEvent, MachineEnd, MachineProblem, MachineState } from "./session.ts";
