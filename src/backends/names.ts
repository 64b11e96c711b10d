/** What can compute: see docs/backends.md. */
export const BACKENDS = ['engine', 'tensorflow', 'webgpu', 'cpu'] as const;

export type BackendName = (typeof BACKENDS)[number];
export type BackendChoice = BackendName | 'auto';
