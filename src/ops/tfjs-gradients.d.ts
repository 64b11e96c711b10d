// Types for the gradient files of tfjs-core, which the package ships without types.
export {};
