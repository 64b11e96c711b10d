// The process that parses damaged inputs, one after another, until its parent ends it.
import { InputError } from '../../src/core/errors.ts';
import { faultyParsers, parsers } from './parsers.ts';

/** What the parent sends. */
export interface FuzzRequest {
  readonly parser: string;
  readonly bytes: Uint8Array;
}

/** What it gets back: how a parser ended, and the most memory that this process ever took, in bytes. */
export interface FuzzReply {
  readonly outcome: 'ready' | 'accepted' | 'refused' | 'fault';
  /** Of a refusal the message, of a fault the stack. */
  readonly text: string;
  readonly peak: number;
}

const reply = (outcome: FuzzReply['outcome'], text = ''): void => {
  process.send?.({ outcome, text, peak: process.resourceUsage().maxRSS * 1024 } satisfies FuzzReply);
};

async function parse({ parser, bytes }: FuzzRequest): Promise<void> {
  try {
    await { ...parsers, ...faultyParsers }[parser].parse(bytes);
    reply('accepted');
  } catch (error) {
    if (error instanceof InputError) reply('refused', error.message);
    else reply('fault', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

if (process.send) {
  process.on('message', (request: FuzzRequest) => void parse(request));
  reply('ready');
}
