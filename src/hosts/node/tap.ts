// --net tap: an interface of this computer's kernel: by its name, as a file descriptor that another program has attached to it, or a macvtap
// interface, which has a device of its own.

import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import type { Net } from "../../contract/definition.ts";
import { BadInput } from "../../machine/runnable.ts";
import { FRAME_MAX, Frame, WHOLE } from "../../network/frame.ts";
import type { NetworkLink, Offloads, Station } from "../../network/link.ts";
import { completeChecksum, Segmenter } from "../../network/segmenter.ts";
import { readVirtioHeader, VIRTIO_HEADER_BYTES, writeVirtioHeader } from "../../network/virtio-header.ts";
import { macOf, macText, randomMac } from "../library/mac.ts";
import { cLibrary } from "./c-library.ts";
import { reasonOf } from "./files.ts";
import { type PolledDescriptor, pollDescriptor } from "./polled-descriptor.ts";

export type TapNet = Extract<Net, { kind: "tap" }>;

/** Frames that wait for the guest at most; the kernel keeps some more, and drops those after them. */
const WAITING_MAX = 256;
const INTERFACES = "/sys/class/net";
const DEVICE = "/dev/net/tun";
// linux/if_tun.h: ioctls; flags of a TUN or TAP interface; what the other side of it can do of a frame's header.
const TUNSETIFF = 0x4004_54ca;
const TUNSETOFFLOAD = 0x4004_54d0;
const TUN_F_CSUM_TSO4_TSO6 = 7;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

interface Opened {
  readonly descriptor: number;
  /** For messages. */
  readonly name: string;
  /** Whether the kernel puts a header before each frame. */
  readonly header: boolean;
  /** The interface's own address, where that is the guest's. */
  readonly mac?: Uint8Array | undefined;
}

/** A kernel's interface as the other end of the guest's. */
export class TapLink implements NetworkLink {
  readonly mac: Uint8Array;
  readonly #descriptor: number;
  readonly #header: number;
  readonly #poll: PolledDescriptor;
  readonly #wake: () => void;
  readonly #waiting: Uint8Array[] = [];
  #isPaused = false;
  #isOpen = true;
  #station: Station | undefined;
  readonly #frame = new Frame();
  readonly #out = new Uint8Array(VIRTIO_HEADER_BYTES + FRAME_MAX);
  readonly #outView = new DataView(this.#out.buffer);
  readonly #segmenter = new Segmenter();

  /**
   * @param wake called when a frame has come. @param gone called when the interface is no more.
   * @throws BadInput when it is no TAP device, or cannot be had.
   */
  constructor(net: TapNet, wake: () => void, gone: (message: string) => void) {
    const { descriptor, name, header, mac } =
      typeof net.device === "number"
        ? passed(net, net.device)
        : net.device.startsWith("/")
          ? opened(net, net.device)
          : attached(net, net.device);
    const given = macOf(net);
    if (given !== undefined && mac !== undefined && macText(given) !== macText(mac))
      throw new BadInput(
        `--net tap: ${name} gets what is sent to its own address ${macText(mac)} alone, and the guest's is ${macText(given)}: they have to be the same`,
      );
    this.mac = given ?? mac ?? randomMac();
    this.#descriptor = descriptor;
    this.#header = header ? VIRTIO_HEADER_BYTES : 0;
    this.#wake = wake;
    try {
      this.#poll = pollDescriptor(
        descriptor,
        this.#header + FRAME_MAX,
        (bytes) => this.#arrived(bytes),
        (error) => {
          if (this.#isOpen) gone(`the interface ${name} is gone${error === undefined ? "" : `: ${reasonOf(error)}`}`);
          this.#isOpen = false;
        },
      );
    } catch (error) {
      throw new BadInput(`--net tap: ${name}: ${reasonOf(error)}`);
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#poll.close();
  }

  attach(station: Station): void {
    this.#station = station;
  }

  /** What the driver does not take over its device does. */
  setOffloads(_offloads: Offloads): void {}

  transmit(frame: Frame): void {
    if (this.#header > 0) {
      writeVirtioHeader(this.#outView, 0, frame);
      this.#write(frame);
      return;
    }
    if (frame.segmentation === WHOLE) {
      if (frame.checksumStart !== 0) completeChecksum(frame);
      this.#write(frame);
      return;
    }
    this.#segmenter.start(frame);
    for (let next = this.#segmenter.next(); next !== undefined; next = this.#segmenter.next()) this.#write(next);
  }

  /** A frame that the kernel does not take is lost: it has no room, the interface is down, or what the guest put there makes no sense. */
  #write(frame: Frame): void {
    if (!this.#isOpen) return;
    this.#out.set(frame.bytes.subarray(0, frame.length), this.#header);
    try {
      writeSync(this.#descriptor, this.#out, 0, this.#header + frame.length);
    } catch {}
  }

  #arrived(bytes: Uint8Array): boolean {
    this.#waiting.push(bytes.slice());
    this.#station?.ready();
    this.#wake();
    this.#isPaused = this.#waiting.length >= WAITING_MAX;
    return !this.#isPaused;
  }

  receive(): Frame | undefined {
    for (let bytes = this.#waiting.shift(); bytes !== undefined; bytes = this.#waiting.shift()) {
      if (this.#isPaused && this.#waiting.length < WAITING_MAX / 2) {
        this.#isPaused = false;
        this.#poll.resume();
      }
      const frame = this.#frame;
      const length = bytes.length - this.#header;
      if (length <= 0 || length > FRAME_MAX) continue;
      frame.bytes.set(bytes.subarray(this.#header));
      frame.complete(length);
      if (this.#header === 0) return frame;
      if (readVirtioHeader(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, frame)) return frame;
    }
    return undefined;
  }

  reset(): void {
    this.#waiting.length = 0;
    if (this.#isPaused) this.#poll.resume();
    this.#isPaused = false;
  }
}

/** A descriptor that whoever started this process has opened and attached to an interface. */
function passed({ vnetHeader }: TapNet, descriptor: number): Opened {
  const wrong = (what: string): BadInput => new BadInput(`--net tap:fd=${descriptor}: ${what}`);
  try {
    fstatSync(descriptor);
  } catch {
    throw wrong("this process was given no such file descriptor");
  }
  // proc_pid_fdinfo(5): of a TUN or TAP device it has the interface's name.
  const [, name] = /^iff:[ \t]*(\S*)$/m.exec(textOf(`/proc/self/fdinfo/${descriptor}`) ?? "") ?? [];
  if (name === undefined) {
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    const index = macvtapIndex(path);
    if (index === undefined) throw wrong("that is no TAP device");
    return { descriptor, name: path, header: vnetHeader ?? true, mac: addressOf(index) };
  }
  if (name === "") throw wrong("there is no interface behind it (TUNSETIFF)");
  // The interface's flags, where this process's /sys is that of its network namespace.
  const flags = textOf(`${INTERFACES}/${name}/tun_flags`);
  if (flags === undefined) return { descriptor, name, header: vnetHeader ?? false };
  const bits = Number(flags);
  if (!(bits & IFF_TAP)) throw wrong(`${name} carries packets, not frames: it is made without IFF_TAP`);
  if (!(bits & IFF_NO_PI)) throw wrong(`${name} is made without IFF_NO_PI`);
  return { descriptor, name, header: vnetHeader ?? (bits & IFF_VNET_HDR) !== 0 };
}

/** An interface by its name. One that is not there is made, where this process may: it is gone with the process. */
function attached({ vnetHeader = true }: TapNet, name: string): Opened {
  const wrong = (what: string): BadInput => new BadInput(`--net tap:${name}: ${what}`);
  const library = cLibrary();
  if (library === undefined)
    throw wrong("that takes Node 26 or later on Linux, with node:ffi: give fd=N (docs/network.md), or a newer Node");
  let descriptor: number;
  try {
    descriptor = openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw wrong(`${DEVICE}: ${reasonOf(error)}`);
  }
  // struct ifreq: the name, in 16 bytes with one zero at least, and the flags.
  const request = new Uint8Array(40);
  request.set(Buffer.from(name, "latin1"));
  new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI | (vnetHeader ? IFF_VNET_HDR : 0), true);
  if (library.ioctl(descriptor, TUNSETIFF, request) !== 0) {
    closeSync(descriptor);
    throw wrong(
      namesOf(INTERFACES).includes(name)
        ? "the kernel refuses it: it is in use, another user's, or no TAP interface"
        : `there is none, and this process may not make one: sudo ip tuntap add dev ${name} mode tap user $USER`,
    );
  }
  // With a header, the kernel may leave checksums and segmentation to the guest.
  if (vnetHeader) library.ioctl(descriptor, TUNSETOFFLOAD, TUN_F_CSUM_TSO4_TSO6);
  return { descriptor, name, header: vnetHeader };
}

function opened({ vnetHeader }: TapNet, path: string): Opened {
  const wrong = (what: string): BadInput => new BadInput(`--net tap:${path}: ${what}`);
  const index = macvtapIndex(path);
  if (index === undefined) throw wrong("give an interface's name, fd=N, or a macvtap interface's /dev/tapN");
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    throw wrong((error as NodeJS.ErrnoException).code === "EBUSY" ? "it is in use" : reasonOf(error));
  }
  if (!fstatSync(descriptor).isCharacterDevice()) {
    closeSync(descriptor);
    throw wrong("that is no TAP device");
  }
  // macvtap: N is the interface's index. It gets what is sent to its own address alone.
  return { descriptor, name: path, header: vnetHeader ?? true, mac: addressOf(index) };
}

/** Of a macvtap interface, which is in its device's name. */
const macvtapIndex = (path: string): string | undefined => /^\/dev\/tap(\d+)$/.exec(path)?.[1];

function addressOf(index: string): Uint8Array | undefined {
  for (const name of namesOf(INTERFACES)) {
    if (textOf(`${INTERFACES}/${name}/ifindex`)?.trim() !== index) continue;
    return macOf({ mac: textOf(`${INTERFACES}/${name}/address`)?.trim() });
  }
  return undefined;
}

function namesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
