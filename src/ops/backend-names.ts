// The names of the backends.

/** The names of all backends; see docs/backends.md. */
export const BACKENDS = ['engine', 'tensorflow', 'webgpu', 'cpu'] as const;

/** The name of a backend. */
export type BackendName = (typeof BACKENDS)[number];

/** The names of the backends, and `auto` for the fastest one that is available. */
export const BACKEND_CHOICES = ['auto', ...BACKENDS] as const;

/** A name of `BACKEND_CHOICES`. */
export type BackendChoice = (typeof BACKEND_CHOICES)[number];
