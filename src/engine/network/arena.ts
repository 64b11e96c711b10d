// Assigns places within one block of memory before the block is allocated.
const ALIGNMENT = 128;

/** Places within one block of memory that is not there yet: what a plan needs is known before anything is allocated. */
export class Arena {
  /** Bytes that the block needs. */
  size = 0;
  #free: { offset: number; bytes: number }[] = [];

  allocate(bytes: number): number {
    const rounded = Math.ceil(Math.max(1, bytes) / ALIGNMENT) * ALIGNMENT;
    const index = this.#free.findIndex((hole) => hole.bytes >= rounded);
    if (index >= 0) {
      const hole = this.#free[index];
      if (hole.bytes === rounded) this.#free.splice(index, 1);
      else this.#free[index] = { offset: hole.offset + rounded, bytes: hole.bytes - rounded };
      return hole.offset;
    }
    const last = this.#free[this.#free.length - 1];
    const offset = last && last.offset + last.bytes === this.size ? last.offset : this.size;
    if (offset !== this.size) this.#free.pop();
    this.size = offset + rounded;
    return offset;
  }

  free(offset: number, bytes: number): void {
    const rounded = Math.ceil(Math.max(1, bytes) / ALIGNMENT) * ALIGNMENT;
    const holes = [...this.#free, { offset, bytes: rounded }].sort((a, b) => a.offset - b.offset);
    this.#free = [];
    for (const hole of holes) {
      const last = this.#free[this.#free.length - 1];
      if (last && last.offset + last.bytes === hole.offset) last.bytes += hole.bytes;
      else this.#free.push({ ...hole });
    }
  }
}
