// Kernels that misbehave, to test how the host takes it.
import { thread } from '../shared/common';

@unmanaged
class Trap {
  task: i32;
}

/** Fails in one task. */
export function trap(task: i32, args: Trap): void {
  if (task == args.task) unreachable();
}

@unmanaged
class Hang {
  /** address of a 32-bit word */
  flag: usize;
}

/** Keeps every worker until the word at `flag` is not 0. */
export function hang(task: i32, args: Hang): void {
  if (thread == 0) return;
  while (atomic.load<i32>(args.flag) == 0) {}
}
