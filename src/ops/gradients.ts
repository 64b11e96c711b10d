// The gradients of tfjs-core's own ops, which it does not register itself. The registry is global, so a user's `tf.grad`
// works too. The first file is bundled by scripts/build.mjs, and uses the program's own tfjs-core.
import './tfjs-gradients.js';
import './batch-norm-gradient.ts';
import './reduction-gradients.ts';
