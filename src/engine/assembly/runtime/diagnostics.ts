// Kernels that misbehave, to test how the host takes it.
import { thread } from '../shared/common';

export function trap(task: i32, a: usize): void {
  if (task == load<i32>(a)) unreachable();
}

export function hang(task: i32, a: usize): void {
  if (thread == 0) return;
  while (atomic.load<i32>(load<u32>(a)) == 0) {}
}
