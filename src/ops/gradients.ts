// The gradients of tfjs-core's own ops, which it registers in browsers only. The registry is global, so a user's
// `tf.grad` works too. The file is bundled by scripts/build.mjs.
import './tfjs-gradients.js';
import './batch-norm-gradient.ts';
import './reduction-gradients.ts';
