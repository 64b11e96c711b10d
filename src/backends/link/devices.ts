// The devices that a TensorFlow sees, asked in a process of its own.

/** What TensorFlow says of itself and of the machine. */
export interface TensorflowDevices {
  /** TensorFlow's, such as 2.21.0. */
  readonly version: string;
  readonly devices: readonly TensorflowDevice[];
}

export interface TensorflowDevice {
  /** The kind of the device, such as CPU or GPU. */
  readonly type: string;
  readonly name: string;
}

/**
 * Prints `TensorflowDevices` as JSON. It is compiled and linked as the binding is, but runs without Node: so a library
 * that does not load is told from a binding that does not.
 */
export const LIST_DEVICES = `
#include <cstdio>
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

int main() {
  TF_Status* status = TF_NewStatus();
  TFE_ContextOptions* options = TFE_NewContextOptions();
  TFE_Context* context = TFE_NewContext(options, status);
  TF_DeviceList* list = TF_GetCode(status) == TF_OK ? TFE_ContextListDevices(context, status) : nullptr;
  if (TF_GetCode(status) != TF_OK) {
    std::fprintf(stderr, "%s\\n", TF_Message(status));
    return 1;
  }
  std::printf("{\\"version\\":\\"%s\\",\\"devices\\":[", TF_Version());
  for (int i = 0; i < TF_DeviceListCount(list); i++) {
    std::printf("%s{\\"type\\":\\"%s\\",\\"name\\":\\"%s\\"}", i == 0 ? "" : ",", TF_DeviceListType(list, i, status),
                TF_DeviceListName(list, i, status));
  }
  std::printf("]}\\n");
  return 0;
}
`;

/** What TensorFlow wrote about cards when it looked for some. */
export const remarksOnCards = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => /cuda|gpu|nvidia/i.test(line))
    .map((line) => `\n  ${line.replace(/^.*?\] /, '').trim()}`)
    .join('');
