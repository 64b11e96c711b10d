// Builds a plan: places in memory, and the jobs in their order.
import { type Layout, paddedBatch } from '../layout/layout.ts';
import type { KernelName } from '../records/records.ts';
import { Arena } from './arena.ts';
import { imagesOf } from './chains.ts';
import type { Value } from './graph.ts';
import {
  type Execution,
  type Field,
  type Plan,
  type PlannedCall,
  type PlannedFields,
  type PlanOptions,
  plannedCall,
  type Step,
} from './plan.ts';

/**
 * `saved` is kept for the backward pass; `scratch` holds the whole batch; `local` holds one task's images for each thread, for
 * the length of a chain; `constants` are shared by all.
 */
export type ArenaName = 'saved' | 'scratch' | 'local' | 'constants';

/** Some bytes in one of the arenas, freed when the last user lets go. */
export interface Place {
  readonly arena: ArenaName;
  readonly offset: number;
  readonly bytes: number;
  /** Bytes from the start of the place to its values: zero columns lie before the first block. */
  readonly lead: number;
  /** The chain that may use a local place. */
  readonly chain: number;
  users: number;
}

const guard = ({ padBytes }: Layout): number => Math.ceil(padBytes / 128) * 128;

/** Collects the steps of a plan and hands out its memory; what forward and backward passes share. */
export class Builder {
  readonly batch: number;
  /** Images that tasks take: a batch is filled up where statistics are taken over tasks. */
  readonly #taken: number;
  readonly #arenas: { readonly [Name in ArenaName]: Arena };
  readonly #steps: Step[] = [];
  #calls: PlannedCall[] = [];
  #images = 0;
  /** The number of the current chain. */
  #chainNumber = 0;
  /** Steps that follow the current chain, and places that are free after them. */
  #deferred: Step[] = [];
  #released: Place[] = [];

  constructor({ batch, norm }: PlanOptions, saved: Arena) {
    this.batch = batch;
    this.#taken = norm === 'folded' ? batch : paddedBatch(batch);
    this.#arenas = { saved, scratch: new Arena(), local: new Arena(), constants: new Arena() };
  }

  /** Bytes of what is kept for the backward pass. */
  get savedBytes(): number {
    return this.#arenas.saved.size;
  }

  /** The plan of what was added. */
  finish(): Plan {
    this.barrier();
    const { scratch, local, constants } = this.#arenas;
    return {
      steps: this.#steps,
      scratchBytes: scratch.size,
      localBytes: local.size,
      constantBytes: constants.size,
    };
  }

  /** Images a task of an op between these layouts; tasks of consecutive ops with the same number form a chain. */
  imagesFor(...layouts: readonly Layout[]): number {
    return imagesOf(layouts);
  }

  /** Blocks of the whole batch; each task has its own. */
  blocks({ nb }: Layout): number {
    return paddedBatch(this.batch) / nb;
  }

  /** Adds a kernel that reads, of what the ops before it wrote, only its own task's images. */
  emit<Name extends KernelName>(images: number, kernel: Name, fields: PlannedFields<Name>): void {
    this.#joinChain(images);
    this.#calls.push(plannedCall(kernel, fields));
  }

  /** Adds a kernel that needs the results of all kernels before it. */
  emitAlone<Name extends KernelName>(tasks: number, kernel: Name, fields: PlannedFields<Name>): void {
    this.barrier();
    this.#steps.push({ kind: 'job', tasks, calls: [plannedCall(kernel, fields)] });
  }

  /** Adds a kernel that runs before everything else. */
  emitFirst<Name extends KernelName>(tasks: number, kernel: Name, fields: PlannedFields<Name>): void {
    this.#steps.unshift({ kind: 'job', tasks, calls: [plannedCall(kernel, fields)] });
  }

  /** Adds what the main thread does before everything else. */
  first(run: (run: Execution) => void): void {
    this.#steps.unshift({ kind: 'host', run });
  }

  /** Adds what the main thread does after the current chain and before the next; its places stay until then. */
  defer(run: (run: Execution) => void): void {
    this.#deferred.push({ kind: 'host', run });
  }

  /** Ends the current chain. */
  barrier(): void {
    if (this.#calls.length > 0) {
      this.#steps.push({ kind: 'job', tasks: Math.ceil(this.#taken / this.#images), calls: this.#calls });
    }
    this.#steps.push(...this.#deferred);
    this.#calls = [];
    this.#chainNumber++;
    this.#deferred = [];
    this.#images = 0;
    for (const place of this.#released) this.#freeNow(place);
    this.#released = [];
  }

  place(arena: ArenaName, bytes: number, lead = 0): Place {
    const total = lead + bytes;
    const offset = this.#arenas[arena].allocate(total);
    return { arena, offset, bytes: total, lead, chain: this.#chainNumber, users: 1 };
  }

  /** Room for one value's activations of the whole batch. */
  activations(of: Layout, arena: ArenaName = 'scratch'): Place {
    return this.place(arena, this.blocks(of) * of.block, guard(of));
  }

  /**
   * Room for the activations of one task's images, for each thread: to be written and read by kernels of one chain, all with
   * as many images a task. Nothing is allocated before a chain with another number of images has ended.
   */
  localActivations(of: Layout, images: number): Place {
    this.#joinChain(images);
    return this.place('local', Math.ceil(images / of.nb) * of.block, guard(of));
  }

  /** Bytes that the next kernel's tasks use, for each thread. */
  room(bytes: number, images: number): Place {
    this.#joinChain(images);
    return this.place('local', bytes);
  }

  /** The fields of such bytes. */
  roomFields(place: Place): { readonly scratch: Field; readonly scratchTask: Field } {
    return { scratch: this.at(place), scratchTask: () => -this.#arenas[place.arena].size };
  }

  /** The address of `length` new f32. */
  floats(length: number, arena: ArenaName = 'constants'): Field {
    return this.at(this.place(arena, 4 * length));
  }

  release(place: Place): void {
    place.users--;
    if (place.users > 0 || place.arena === 'saved') return;
    // In a thread's own memory what is free can be used at once; else another task may still read it.
    if (place.arena === 'local') this.#freeNow(place);
    else this.#released.push(place);
  }

  /** True if all but one have read what a place holds, so that this one may write over it; not while steps after the chain are to read. */
  isLeft({ users, arena }: Place): boolean {
    return users === 1 && arena !== 'saved' && this.#deferred.length === 0;
  }

  /** A place's address. */
  at({ arena, offset, lead }: Place): Field {
    return (run) => run.bases[arena] + offset + lead;
  }

  /** A value's activations as two fields of a kernel: their address, and the distance between two tasks' parts. */
  side<Name extends string>(name: Name, place: Place, { layout }: Value, images: number): Side<Name> {
    const ofThread = place.arena === 'local';
    if (ofThread && place.chain !== this.#chainNumber) throw new Error(`The ${name} of a chain that has ended.`);
    const step = ofThread ? () => -this.#arenas.local.size : Math.ceil(images / layout.nb) * layout.block;
    return { [name]: this.at(place), [`${name}Task`]: step } as Side<Name>;
  }

  /** A kernel's side that is not there. */
  noSide<Name extends string>(name: Name): Side<Name> {
    return { [name]: 0, [`${name}Task`]: 0 } as Side<Name>;
  }

  /** Goes on with the current chain, or starts another where its tasks have other images. */
  #joinChain(images: number): void {
    if (this.#images > 0 && this.#images !== images) this.barrier();
    this.#images = images;
  }

  #freeNow(place: Place): void {
    this.#arenas[place.arena].free(place.offset, place.bytes);
  }
}

export type Side<Name extends string> = { readonly [F in Name | `${Name}Task`]: Field };
