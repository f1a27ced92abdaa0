// The words of a hand-over as messages of a connection.

import type { Channel, Message } from "./channel.ts";
import type { Talk, Word } from "./hand-over.ts";
import { decode, encode, KIND, nameOf, refuse, Unexpected, which } from "./messages.ts";

/** Milliseconds that an answer may take. */
const PATIENCE = 30_000;

const ANSWERS = {
  [KIND.prepared]: "prepared",
  [KIND.taken]: "taken",
  [KIND.dropped]: "dropped",
  [KIND.aborted]: "aborted",
} as const;

/** @param node that is meant: another one that has got its address does not answer for it. @param heard is told when an answer has come. */
export function talkBy(channel: Channel, id: string, node: string, heard: () => void = () => {}): Talk {
  return {
    say: ({ say }) => {
      const kind = KIND[say as "prepare" | "commit" | "abort" | "settled"];
      return channel.send(kind, encode({ id, node }));
    },
    hear: async () => {
      const timer = setTimeout(() => channel.close(), PATIENCE);
      let message: Message;
      try {
        message = await channel.receive();
      } finally {
        clearTimeout(timer);
      }
      heard();
      if (message.kind === KIND.later) return { say: "later", why: decode(refuse, message).why };
      if (message.kind === KIND.refuse) throw new Unexpected(decode(refuse, message).why);
      const say = ANSWERS[message.kind as keyof typeof ANSWERS];
      if (say === undefined) throw new Unexpected(`the destination answered ${nameOf(message.kind)}`);
      return { say };
    },
  };
}

/** An answer of the destination's. */
export async function sayAnswer(channel: Channel, word: Word): Promise<void> {
  if (word.say === "later") await channel.send(KIND.later, encode({ why: word.why.slice(0, 1000) }));
  else await channel.send(KIND[word.say]);
}

/** What of a hand-over the source says, of a node that is meant. @throws Unexpected */
export function wordOf(message: Message, node: string): Word | undefined {
  if (message.kind !== KIND.commit && message.kind !== KIND.abort) return undefined;
  const { id, node: meant } = decode(which, message);
  if (meant !== node) throw new Unexpected("another node has this address now");
  return { say: message.kind === KIND.commit ? "commit" : "abort", id };
}
