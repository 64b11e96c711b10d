/** What can compute: see docs/backends.md. */
export const BACKENDS = ['engine', 'tensorflow', 'webgpu', 'cpu'] as const;

/** The names of the backends. */
export type BackendName = (typeof BACKENDS)[number];
/** A backend by name, or `auto` for the fastest that is there. */
export type BackendChoice = BackendName | 'auto';
