// The names of the backends.

/** The names of all backends; see docs/backends.md. */
export const BACKENDS = ['engine', 'tensorflow', 'webgpu', 'cpu'] as const;

/** The name of a backend. */
export type BackendName = (typeof BACKENDS)[number];

/** What a user may choose. */
export const BACKEND_CHOICES = ['auto', ...BACKENDS] as const;

/** The name of a backend, or `auto` for the fastest one that is available. */
export type BackendChoice = (typeof BACKEND_CHOICES)[number];
