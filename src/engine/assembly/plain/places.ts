// Places of a window along one axis: the outputs for which each lies in the input.
//
//   places   [first output | end | input of the first output] …

// @ts-ignore: decorator
@inline
export function firstOutput(place: usize, from: i32): i32 { return max(from, load<i32>(place)); }

// @ts-ignore: decorator
@inline
export function endOutput(place: usize, to: i32): i32 { return min(to, load<i32>(place, 4)); }
