// Starts the reference backend.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';

/** Starts the reference backend, which is plain JavaScript on one thread. */
export async function startCpu(): Promise<string> {
  await tf.setBackend('cpu');
  spendGreeting();
  return 'plain JavaScript, one thread';
}

/** The backend greets at its first tensor with the advice to install tfjs-node, unless in production mode. */
function spendGreeting(): void {
  const production = tf.env().getBool('PROD');
  tf.env().set('PROD', true);
  tf.scalar(0).dispose();
  tf.env().set('PROD', production);
}
